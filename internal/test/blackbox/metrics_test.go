package blackbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/snapshot"
	"step-posture-connector/internal/test/program"
)

// exported is every series that the daemon exports, one a line and without its value: by a daemon with the provider
// file, by the same with a policy file and a journal in a state database, by one with doors, by one with a console for users, by the providers that would ask a server at start, and by the snapshot of one.
func exported(t *testing.T) string {
	t.Helper()
	p := program.NewPKI(t)
	environment := func() program.Environment {
		return program.WorkingEnvironment(t, p).With("HEALTH_ADDRESS", program.FreeHealth, "AUDIT_LOG_PATH", filepath.Join(t.TempDir(), "audit.jsonl"))
	}
	_, text := program.StartDaemon(t, environment()).Get(t, "/metrics")
	policies := filepath.Join(t.TempDir(), "posture.yaml")
	program.ReplaceFile(t, policies, "policies:\n  default:\n    rules: [{name: managed, require: device.managed}]\n"+
		"webhooks:\n  - {name: told, id: 9f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {env: TOLD}, accepts: scep_notification}\n")
	told := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("t"), sha256.BlockSize))
	_, withPolicies := program.StartDaemon(t, environment().With("POLICY_PATH", policies, "TOLD", told, "STATE_URL", "sqlite:"+filepath.Join(t.TempDir(), "state.db"), "JOURNAL", "1")).Get(t, "/metrics")
	doors := prepareDoors(t, doorPolicies)
	_, withConsole := newUsersLab(t).start(t).daemon.Get(t, "/metrics")
	_, withDoors := program.StartDaemon(t, doors.env).Get(t, "/metrics")
	decider, _, err := provider.Open("jamf", map[string]string{"JAMF_BASE_URL": "https://127.0.0.1", "JAMF_CLIENT_ID": "x", "JAMF_CLIENT_SECRET": "x"}, false)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(decider.Provider.(prometheus.Collector))
	keeper := snapshot.New(snapshot.Options{Inventory: "mdm", Provider: decider.Provider.(interface {
		posture.Provider
		posture.Lister
	})})
	prometheus.WrapRegistererWith(prometheus.Labels{"inventory": "mdm"}, registry).MustRegister(keeper)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var more bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&more, family); err != nil {
			t.Fatal(err)
		}
	}
	former := regexp.MustCompile(`^(# \w+ )?step_posture_(go|process)_`)
	ofProcess := regexp.MustCompile(`^(# \w+ )?(go|process)_`)
	used := regexp.MustCompile(`\b(go_goroutines|process_(start_time_seconds|open_fds|max_fds|resident_memory_bytes|cpu_seconds_total))\b`)
	bucket := regexp.MustCompile(`[{,]le="`) // and no label rule
	var lines []string
	for line := range strings.Lines(text + withPolicies + withDoors + withConsole + more.String()) {
		line = strings.TrimSpace(line)
		line = regexp.MustCompile(`\b(version|commit|goversion|hash)="[^"]*"`).ReplaceAllString(line, `$1=""`)
		line = regexp.MustCompile(`"[0-9a-f-]{36}"`).ReplaceAllString(line, `"webhook-id"`)
		kind, isType := strings.CutPrefix(line, "# TYPE ")
		switch {
		// The library's metrics of the process differ between systems; only these are used, by their usual names.
		case former.MatchString(line), ofProcess.MatchString(line) && !used.MatchString(line),
			bucket.MatchString(line) && !strings.Contains(line, `le="+Inf"`):
		case isType:
			lines = append(lines, "# "+kind)
		case !strings.HasPrefix(line, "#"):
			lines = append(lines, line[:strings.LastIndexByte(line, ' ')])
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}

// testdata/metrics.txt lists what the daemon exports. Dashboard and alert rules are compared with it.
func TestMetricsFile(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got := exported(t); got != string(want) {
		t.Errorf("the daemon exports other metrics than testdata/metrics.txt lists; the file should be\n%s", got)
	}
}

// The table of docs/operation.md has exactly the metrics that the daemon exports, with type and labels.
func TestMetricsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	all := exported(t)
	var want []string
	for _, match := range regexp.MustCompile(`(?m)^# (step_posture_\w+) (\w+)$`).FindAllStringSubmatch(all, -1) {
		name := match[1]
		series := regexp.MustCompile(`(?m)^`+name+`(?:_count)?(\{.*\})?$`).FindAllString(all, -1)
		if series == nil {
			t.Fatalf("%s has no series", name)
		}
		// Some have more labels with a policy file.
		labels := []string{}
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(strings.Join(series, "\n"), -1) {
			labels = append(labels, label[1])
		}
		slices.Sort(labels)
		want = append(want, strings.Join(append([]string{name, match[2]}, slices.Compact(labels)...), " "))
	}
	page, err := os.ReadFile(filepath.Join("docs", "operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(step_posture_\\w+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		labels := regexp.MustCompile(`\w+`).FindAllString(row[3], -1)
		slices.Sort(labels)
		got = append(got, strings.Join(append([]string{row[1], row[2]}, labels...), " "))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("documented:\n%s\nexported:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

package blackbox_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/test/program"
)

const (
	replayDevices = `{"devices":[{"identifier":"C02XK1JKLVCG"},{"identifier":"C02XK1JKLVCH"}]}`
	// today lets both devices pass, and tomorrow one.
	today    = "policies:\n  default:\n    rules:\n      - {name: not_lost, require: 'device.identifier != \"C02XK1JKLVCH\"', enforce: false}\n"
	tomorrow = "policies:\n  default:\n    rules:\n      - {name: not_lost, require: 'device.identifier != \"C02XK1JKLVCH\"'}\n"
)

func writeFiles(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// recordRequests runs the daemon with an audit log, and makes four requests, one of them malformed.
func recordRequests(t *testing.T, env program.Environment, p *program.PKI) {
	t.Helper()
	d := program.StartDaemon(t, env)
	s := program.NewStepCA(t, p, d.Address, nil)
	s.WantDecision(t, "known", "C02XK1JKLVCG", program.Allowed)
	s.WantDecision(t, "lost", "C02XK1JKLVCH", program.Allowed)
	s.WantDecision(t, "unknown", "C02UNKNOWN01", program.NotFound)
	if status, _, err := s.Send(t, []byte("{")); err != nil || status != http.StatusBadRequest {
		t.Errorf("a malformed request got %d (%v), want 400", status, err)
	}
	d.Stop(t)
}

// TestPolicyReplay: an audit log with facts says which devices another policy would decide otherwise, with and without a
// policy file at the time when it was written. Under the same policy there are none.
func TestPolicyReplay(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	for _, with := range []string{"", "today.yaml"} {
		t.Run("with "+with, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			writeFiles(t, folder, map[string]string{"devices.json": replayDevices, "today.yaml": today, "tomorrow.yaml": tomorrow})
			log := filepath.Join(folder, "audit.jsonl")
			env := program.WorkingEnvironment(t, p).With("FILE_PATH", filepath.Join(folder, "devices.json"), "AUDIT_LOG_PATH", log, "AUDIT_FACTS", "1")
			if with != "" {
				env = env.With("POLICY_PATH", filepath.Join(folder, with))
			}
			recordRequests(t, env, p)

			// The rules are not evaluated for a device that no inventory knows.
			const numbers = "4 lines read: 3 replayed, 0 not replayable, 1 refused before a policy was asked, 0 unreadable\n"
			same := program.Run(t, env, folder, "policy", "replay", "audit.jsonl", "--policy-file", "today.yaml")
			want := "rule default/not_lost: not met in 1 of 2 requests, report-only\n" + numbers + "0 devices would be decided otherwise: 0 denied, 0 allowed\n"
			if same.Code != 0 || same.Stdout != want {
				t.Errorf("under a policy that decides alike: exit %d\n%s%swant\n%s", same.Code, same.Stdout, same.Stderr, want)
			}
			other := program.Run(t, env, folder, "policy", "replay", "audit.jsonl", "--policy-file", "tomorrow.yaml")
			line := regexp.MustCompile(`^deny   C02XK1JKLVCH  default: was allow, would be deny by rule not_lost \(1 request, last 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ, ref [0-9A-Z]{8}\)\n`)
			rest := "rule default/not_lost: denies 1 device that had been allowed; not met in 1 of 2 requests\n" + numbers + "1 device would be decided otherwise: 1 denied, 0 allowed\n"
			if other.Code != 2 || !line.MatchString(other.Stdout) || line.ReplaceAllString(other.Stdout, "") != rest {
				t.Errorf("under another policy: exit %d\n%s%swant\n%s%s", other.Code, other.Stdout, other.Stderr, line, rest)
			}
			asJSON := program.Run(t, env, folder, "policy", "replay", "audit.jsonl", "--policy-file", "tomorrow.yaml", "--json")
			if begin := `{"identifier":"C02XK1JKLVCH","policy":"default","was":{"decision":"allow"},"would_be":{"decision":"deny","code":"deviceNotCompliant","rules":["not_lost"]},"requests":1,"last":"`; asJSON.Code != 2 || !strings.HasPrefix(asJSON.Stdout, begin) || !strings.Contains(asJSON.Stdout, "\n{\"summary\":{") {
				t.Errorf("as JSON: exit %d\n%s%s", asJSON.Code, asJSON.Stdout, asJSON.Stderr)
			}
		})
	}
}

// Without a policy file the facts in an inventory file are not read: the audit log does not have them as unknown, and a
// policy that reads them is not decided on them.
func TestReplayOfFileFacts(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	const first = "policies:\n  default:\n    rules:\n      - {name: os, require: 'device.os_version.atLeast(\"15.4\")'}\n"
	for with, want := range map[string]string{
		"":           "not replayable: 2 lines: the line lacks device.os_version of the inventory file (first audit.jsonl:1, last audit.jsonl:2)\n",
		"today.yaml": "rule default/os: denies 1 device that had been allowed; not met in 1 of 2 requests\n",
	} {
		t.Run("with "+with, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			writeFiles(t, folder, map[string]string{
				"devices.json": `{"devices":[{"identifier":"C02XK1JKLVCG","facts":{"device":{"os_version":"15.4"}}},{"identifier":"C02XK1JKLVCH","facts":{"device":{"os_version":"14.7"}}}]}`,
				"today.yaml":   today, "first.yaml": first,
			})
			env := program.WorkingEnvironment(t, p).With(
				"FILE_PATH", filepath.Join(folder, "devices.json"), "AUDIT_LOG_PATH", filepath.Join(folder, "audit.jsonl"), "AUDIT_FACTS", "1")
			if with != "" {
				env = env.With("POLICY_PATH", filepath.Join(folder, with))
			}
			recordRequests(t, env, p)
			if r := program.Run(t, env, folder, "policy", "replay", "audit.jsonl", "--policy-file", "first.yaml"); !strings.Contains(r.Stdout, want) {
				t.Errorf("exit %d\n%s%swant\n%s", r.Code, r.Stdout, r.Stderr, want)
			}
		})
	}
}

// TestAuditFacts: with a policy file a line says what the rules said, and with AUDIT_FACTS=1 what the inventory answered.
func TestAuditFacts(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	folder := t.TempDir()
	writeFiles(t, folder, map[string]string{"devices.json": replayDevices, "today.yaml": today})
	log := filepath.Join(folder, "audit.jsonl")
	env := program.WorkingEnvironment(t, p).With(
		"FILE_PATH", filepath.Join(folder, "devices.json"), "AUDIT_LOG_PATH", log, "POLICY_PATH", filepath.Join(folder, "today.yaml"), "AUDIT_FACTS", "1")
	recordRequests(t, env, p)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, want := range []string{
		`"policy":"default","inventory":"file","caller":"` + program.WebhookID + `","door":"webhook","unmet":[],"would_deny":[],"facts":{"now":"`,
		`"policy":"default","inventory":"file","caller":"` + program.WebhookID + `","door":"webhook","unmet":[],"would_deny":["not_lost"],"facts":{"now":"`,
		`"records":{"file":{"answer":"not_found","found":false,"mode":null}}}`,
		`"unmet":[],"would_deny":[],"facts":null}`,
	} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is\n%s\nwant in it\n%s", i+1, lines[i], want)
		}
	}
	for _, want := range []string{
		`"request":{"door":"webhook","caller":"` + program.WebhookID + `","kind":"authorizing","provisioner":null,`, `"identifier":"C02XK1JKLVCH"`,
		`"records":{"file":{"answer":"found","found":true,"mode":null,"device":{"identifier":"C02XK1JKLVCH","serial_number":null,`, `"managed":true`, `"user":{"username":null`,
	} {
		if !strings.Contains(lines[1], want) {
			t.Errorf("the facts are\n%s\nwant in them\n%s", lines[1], want)
		}
	}
}

// What cannot be replayed is counted and named, and a replay that cannot be run says why.
func TestPolicyReplayMistakes(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	const line = `{"time":"2026-11-24T11:30:00.123456Z","reference":"7F3K9Q2M","decision":"allow","code":"","identifier":"C02XK1JKLVCG"}` + "\n"
	writeFiles(t, folder, map[string]string{
		"new.yaml": tomorrow, "wrong.yaml": "policies:\n  default:\n    rules: [{name: a, require: device.managd}]\n", "old.jsonl": line + "\n" + line + "{\"time\":\"2026\n",
		"text": "no audit log\n", "empty": "", "hostile": line + "{\u202e\x1b[2J\n",
	})
	packed, err := os.Create(filepath.Join(folder, "old.jsonl.2.gz"))
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(packed)
	_, _ = w.Write([]byte(line))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_ = packed.Close()
	env := program.Environment{"PROVIDER": "file", "FILE_PATH": "nowhere.json", "FILE_TYPE": "json"}
	const lacks = "not replayable: %s: the line has no facts: it was written without AUDIT_FACTS=1 (first %s, last %s)\n"
	for args, want := range map[string]program.Result{
		"policy replay":                                    {Code: 64, Stderr: "which audit log?"},
		"policy replay old.jsonl":                          {Code: 64, Stderr: "Give --policy-file, or set POLICY_PATH"},
		"policy replay nowhere --policy-file new.yaml":     {Code: 1, Stderr: "nowhere: no such file"},
		"policy replay old.jsonl --policy-file nowhere":    {Code: 1, Stderr: "nowhere: no such file"},
		"policy replay old.jsonl --policy-file wrong.yaml": {Code: 1, Stderr: "wrong.yaml:3:39: policies.default.rules[0].require: unknown name"},
		"policy replay text --policy-file new.yaml":        {Code: 1, Stderr: "text: no line of it is one of an audit log"},
		"policy replay empty --policy-file new.yaml":       {Code: 1, Stderr: "the audit log has no lines"},
		"policy replay . --policy-file new.yaml":           {Code: 1, Stderr: "is a directory"},
		"policy replay old.jsonl empty old.jsonl.2.gz --policy-file new.yaml": {Stdout: "4 lines read: 0 replayed, 3 not replayable, 0 refused before a policy was asked, 1 unreadable\n" +
			fmt.Sprintf(lacks, "3 lines", "old.jsonl:1", "old.jsonl.2.gz:1") + "unreadable: old.jsonl:4: not a line of the audit log\n"},
		"policy replay hostile --policy-file new.yaml": {Stdout: "unreadable: hostile:2: not a line of the audit log\n"},
	} {
		if r := program.Run(t, env, folder, strings.Fields(args)...); r.Code != want.Code || !strings.Contains(r.Stdout, want.Stdout) || !strings.Contains(r.Stderr, want.Stderr) {
			t.Errorf("%s: exit %d\n%s%s\nwant exit %d\n%s%s", args, r.Code, r.Stdout, r.Stderr, want.Code, want.Stdout, want.Stderr)
		}
	}
}

// TestPolicyReplayInterrupted: a replay that waits for input ends with a signal, and says why.
func TestPolicyReplayInterrupted(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeFiles(t, folder, map[string]string{"devices.json": replayDevices, "today.yaml": today})
	env := program.Environment{"PROVIDER": "file", "FILE_PATH": filepath.Join(folder, "devices.json"), "FILE_TYPE": "json"}
	c := program.Command(t, env, "policy", "replay", "-", "--policy-file", filepath.Join(folder, "today.yaml"))
	c.Dir = folder
	var stderr strings.Builder
	c.Stderr = &stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// More than a pipe holds, so that the replay has begun to read when this is written.
	if _, err := io.WriteString(stdin, strings.Repeat("\n", 1<<20)); err != nil {
		t.Fatal(err)
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	if c.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "policy replay: interrupted") || strings.Contains(stderr.String(), "context") {
		t.Errorf("exit %d, printed %s", c.ProcessState.ExitCode(), stderr.String())
	}
}

//go:build unix

package blackbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/test/program"
)

const chainKey = "Y2hhaW4ta2V5LW9mLXRoZS1ibGFjay1ib3gtdGVzdHM="

// chained is a working environment with a chain, and the path of its audit log.
func chained(t *testing.T, p *program.PKI) (env program.Environment, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.jsonl")
	return program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", path, "AUDIT_CHAIN", "1", "AUDIT_CHAIN_KEY", chainKey), path
}

// auditVerify verifies files with the key alone.
func auditVerify(t *testing.T, args ...string) program.Result {
	t.Helper()
	return program.Run(t, program.Environment{"AUDIT_CHAIN_KEY": chainKey}, "", append([]string{"audit", "verify"}, args...)...)
}

// heads are the heads of the chain that a log shows.
func heads(output string) (all []string) {
	for _, match := range regexp.MustCompile(`chain_head="?(\d+:[0-9a-f]{64})`).FindAllStringSubmatch(output, -1) {
		all = append(all, match[1])
	}
	return all
}

// The chain goes on through a rotation and a restart, the log shows its head at each of them, and what is changed, removed or cut
// off is found at its line.
func TestAuditChain(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	env, path := chained(t, p)
	d := program.StartDaemon(t, env)
	s := program.NewStepCA(t, p, d.Address, nil)
	s.WantDecision(t, "known", "C02XK1JKLVCG", program.Allowed)
	s.WantDecision(t, "unknown", "C02UNKNOWN01", program.NotFound)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	d.Hangup(t)
	d.Eventually(t, "the head is logged", func() bool { return len(heads(d.Output())) == 2 })
	s.WantDecision(t, "rotated", "C02XK1JKLVCG", program.Allowed)
	_, first := d.Stop(t)
	again := program.StartDaemon(t, env)
	program.NewStepCA(t, p, again.Address, nil).WantDecision(t, "restarted", "C02XK1JKLVCG", program.Allowed)
	_, second := again.Stop(t)
	shown := append(heads(first), heads(second)...)
	if len(shown) != 5 || !strings.HasPrefix(shown[4], "6:") {
		t.Fatalf("the logs show the heads %q, want five, the last of line 6\n%s%s", shown, first, second)
	}
	args := []string{path, path + ".1"}
	for _, head := range shown {
		args = append(args, "--head", head)
	}
	if r := auditVerify(t, args...); r.Code != 0 || !strings.Contains(r.Stdout, "6 lines in 1 chain, 0 not covered: intact\n") {
		t.Errorf("audit verify = %+v", r)
	}
	r := auditVerify(t, append(args, "--json")...)
	var report struct {
		Intact bool
		Lines  int
	}
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || !report.Intact || report.Lines != 6 {
		t.Errorf("audit verify --json = %+v (%v)", r, err)
	}
	lines := fileLines(t, path)
	write := func(text ...string) {
		if err := os.WriteFile(path, []byte(strings.Join(text, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(lines[0], strings.Replace(lines[1], "C02XK1JKLVCG", "C02XK1JKLVCH", 1), lines[2])
	if r := auditVerify(t, path+".1", path); r.Code != 2 || !strings.HasPrefix(r.Stdout, path+":2: changed: ") {
		t.Errorf("a changed line: %+v", r)
	}
	write(lines[0], lines[2])
	if r := auditVerify(t, path+".1", path); r.Code != 2 || !strings.HasPrefix(r.Stdout, path+":2: removed: line 5 ") {
		t.Errorf("a removed line: %+v", r)
	}
	write(lines[:2]...)
	if r := auditVerify(t, path+".1", path); r.Code != 0 {
		t.Errorf("a cut end without its head: %+v", r)
	}
	if r := auditVerify(t, path+".1", path, "--head", shown[4]); r.Code != 2 || !strings.HasPrefix(r.Stdout, path+": head: the files end with line 5 of the chain, but the log has shown line 6") {
		t.Errorf("a cut end: %+v", r)
	}
	if r := auditVerify(t, path); r.Code != 2 || !strings.HasPrefix(r.Stdout, path+":1: removed: lines 1 to 3 ") {
		t.Errorf("a missing file: %+v", r)
	}
	if r := auditVerify(t, path, "--after", shown[1]); r.Code != 2 { // shown[1] is of the line that begins the new file
		t.Errorf("after a line that is in the file: %+v", r)
	}
}

func fileLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

// Kills under load leave a chain that is intact, and an unfinished line is told apart from a change.
func TestAuditChainSurvivesKill(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	env, path := chained(t, p)
	for range 2 {
		killUnderLoad(t, p, program.StartDaemon(t, env))
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"time":"2026-11-24T11:30:00.123`); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if r := auditVerify(t, path); r.Code != 2 || !strings.Contains(r.Stdout, ": unfinished: ") {
		t.Errorf("before the next start: %+v", r)
	}
	d := program.StartDaemon(t, env)
	program.NewStepCA(t, p, d.Address, nil).WantDecision(t, "after the kill", "C02XK1JKLVCG", program.Allowed)
	if _, output := d.Stop(t); !strings.Contains(output, "its 32 bytes are kept, and a line with the event torn follows") {
		t.Errorf("the log does not say that a line was unfinished:\n%s", output)
	}
	r := auditVerify(t, path)
	if r.Code != 0 || !strings.Contains(r.Stdout, ": torn: the line before was not finished, because the daemon was killed or the disk was full: 33 bytes\n") {
		t.Errorf("after it: %+v", r)
	}
	t.Log(r.Stdout)
}

// When a disk is full, lines are lost and counted in the chain, which stays intact.
func TestAuditChainOnAFullDisk(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	env, path := chained(t, p)
	d := program.StartDaemon(t, env, limited)
	s := program.NewStepCA(t, p, d.Address, nil)
	const requests = 20
	for range requests {
		s.WantDecision(t, "while it becomes full", "C02XK1JKLVCG", program.Allowed)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	d.Hangup(t)
	d.Eventually(t, "the audit log is reopened", func() bool { return strings.Contains(d.Output(), "reopened: audit log") })
	s.WantDecision(t, "with space", "C02XK1JKLVCG", program.Allowed)
	_, output := d.Stop(t)
	written := 0
	for _, line := range append(fileLines(t, path+".1"), fileLines(t, path)...) {
		written += strings.Count(line, `"decision":"allow"`)
	}
	r := auditVerify(t, path+".1", path)
	told := 0
	for _, note := range regexp.MustCompile(`lost: (\d+) lines? could not be written`).FindAllStringSubmatch(r.Stdout, -1) {
		n, _ := strconv.Atoi(note[1])
		told += n
	}
	lost := strings.Count(output, "this decision is not in the audit log")
	if r.Code != 0 || lost == 0 || told != lost || written+lost != requests+1 {
		t.Errorf("%d written and %d lost of %d, the chain says %d: %+v", written, lost, requests+1, told, r)
	}
}

// A second daemon with the same file would go on with the chain of the first one.
func TestAuditChainIsOfOneDaemon(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	env, path := chained(t, p)
	program.StartDaemon(t, env)
	want := "AUDIT_LOG_PATH: " + path + ": another daemon writes to it; give each daemon an audit log of its own"
	if r := program.Run(t, env.With("PORT", "1"), ""); r.Code != 1 || !strings.Contains(r.Stderr, want) {
		t.Errorf("a second daemon: %+v, want %s", r, want)
	}
	if r := program.Run(t, env, "", "check"); r.Code != 0 {
		t.Errorf("check beside the daemon: %+v", r)
	}
}

// A configuration of a chain that could not work is refused at load.
func TestAuditChainConfiguration(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	env, path := chained(t, p)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(chainKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pairs []string
		code  int
		want  string
	}{
		"complete":      {nil, 0, ""},
		"key in a file": {[]string{"AUDIT_CHAIN_KEY", "", "AUDIT_CHAIN_KEY_FILE", keyFile}, 0, ""},
		"no key":        {[]string{"AUDIT_CHAIN_KEY", ""}, 1, "AUDIT_CHAIN_KEY: not set, but AUDIT_CHAIN is 1; accepted: a key of at least 32 bytes in standard base64"},
		"no audit log":  {[]string{"AUDIT_LOG_PATH", ""}, 1, "AUDIT_LOG_PATH: not set, but AUDIT_CHAIN is 1"},
		"a pipe":        {[]string{"AUDIT_LOG_PATH", pipe}, 1, "AUDIT_LOG_PATH: " + pipe + ": it is not a regular file"},
		"a device":      {[]string{"AUDIT_LOG_PATH", "/dev/null"}, 1, "AUDIT_LOG_PATH: /dev/null: it is not a regular file"},
		"a short key":   {[]string{"AUDIT_CHAIN_KEY", "c2hvcnQ="}, 1, "AUDIT_CHAIN_KEY: has 5 bytes when decoded, fewer than 32"},
		"no base64":     {[]string{"AUDIT_CHAIN_KEY", strings.Repeat("-", 50)}, 1, "AUDIT_CHAIN_KEY: is not standard base64"},
		"two keys":      {[]string{"AUDIT_CHAIN_KEY", chainKey + "," + chainKey}, 1, "AUDIT_CHAIN_KEY: several keys are given"},
		"another word":  {[]string{"AUDIT_CHAIN", "yes"}, 1, `AUDIT_CHAIN: "yes" is not accepted; accepted: 0 or 1`},
		"key, no chain": {[]string{"AUDIT_CHAIN", "0"}, 0, "AUDIT_CHAIN_KEY is set but AUDIT_CHAIN is not 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, env.With(c.pairs...), "", "check")
			if r.Code != c.code || !strings.Contains(r.Stdout+r.Stderr, c.want) || strings.Contains(r.Stdout+r.Stderr, chainKey[:20]) {
				t.Errorf("check = %+v, want %d %s", r, c.code, c.want)
			}
		})
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("check has made the audit log")
	}
}

// Wrong command lines, and files that cannot be verified.
func TestAuditVerifyUsage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := program.Environment{"AUDIT_CHAIN_KEY": chainKey}
	for line, want := range map[string]program.Result{
		"audit":                            {Code: 64, Stderr: "audit: what should be done?"},
		"audit verify":                     {Code: 64, Stderr: "audit verify: which files?"},
		"audit verify a a":                 {Code: 64, Stderr: "audit verify: a is given twice"},
		"audit verify a --head 5":          {Code: 64, Stderr: "audit verify: --head: it is not NUMBER:MAC"},
		"audit verify a --head 5:ff":       {Code: 64, Stderr: "audit verify: --head: the MAC has not 64"},
		"audit verify a --after 0:ff":      {Code: 64, Stderr: "audit verify: --after: it is not NUMBER:MAC"},
		"audit verify --heads a":           {Code: 64, Stderr: "--head"},
		"audit verify " + folder + "/none": {Code: 1, Stderr: folder + "/none: open: no such file or directory"},
		"audit verify " + empty:            {Code: 1, Stderr: "the files have no lines"},
	} {
		if got := program.Run(t, env, "", strings.Fields(line)...); got.Code != want.Code || !strings.Contains(got.Stderr, want.Stderr) {
			t.Errorf("%s = %+v, want %+v", line, got, want)
		}
	}
	if got := program.Run(t, program.Environment{}, "", "audit", "verify", empty); got.Code != 1 || !strings.Contains(got.Stderr, "AUDIT_CHAIN_KEY: not set") {
		t.Errorf("without a key: %+v", got)
	}
}

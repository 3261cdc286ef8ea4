//go:build unix

package blackbox_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// auditLine is a line of the audit log.
type auditLine struct {
	Time       time.Time `json:"time"`
	Reference  string    `json:"reference"`
	Decision   string    `json:"decision"`
	Code       string    `json:"code"`
	Reason     string    `json:"reason"`
	Identifier string    `json:"identifier"`
	Mode       string    `json:"mode"`
	Provider   string    `json:"provider"`
	WebhookID  string    `json:"webhook_id"`
	RequestID  string    `json:"request_id"`
	Groups     []string  `json:"groups"`
	DurationMS *float64  `json:"duration_ms"`
}

// auditLines reads an audit log, each line of which must be whole.
func auditLines(t *testing.T, path string) []auditLine {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("the last line of %s is not whole", path)
	}
	var lines []auditLine
	for text := range strings.Lines(string(text)) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		var line auditLine
		if err := decoder.Decode(&line); err != nil {
			t.Errorf("not a line of the audit log: %q: %v", text, err)
		}
		if line.Reference == "" || line.Groups == nil || line.DurationMS == nil || line.Time.IsZero() {
			t.Errorf("a key is missing: %s", text)
		}
		lines = append(lines, line)
	}
	return lines
}

func auditReferences(lines []auditLine) []string {
	var found []string
	for _, line := range lines {
		found = append(found, line.Reference)
	}
	return found
}

// hangup sends SIGHUP.
func (p *process) hangup(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// Every authenticated request has its line, whatever became of it, and no other has. SIGHUP has the
// daemon go on in a new file when the old one was moved away.
func TestAuditLog(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	d := startDaemon(t, workingEnvironment(t, p).with("AUDIT_LOG_PATH", path))
	s := newSigner(t, p, d.address, nil)
	s.wantDecision(t, "known", "C02XK1JKLVCG", allowed)
	s.wantDecision(t, "unknown", "C02STRANGER1", notFound)
	if status, _, err := s.send(t, []byte("{")); err != nil || status != http.StatusBadRequest {
		t.Errorf("what is malformed got %d (%v), want 400", status, err)
	}
	stranger := *s
	stranger.key = []byte("another")
	if status, _, err := stranger.send(t, order("C02XK1JKLVCG")); err != nil || status != http.StatusUnauthorized {
		t.Errorf("a stranger got %d (%v), want 401", status, err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.wantDecision(t, "moved away", "C02XK1JKLVCG", allowed)
	d.hangup(t)
	d.eventually(t, "the audit log is reopened", func() bool { return strings.Contains(d.output(), "reopened: audit log") })
	s.wantDecision(t, "reopened", "C02XK1JKLVCG", allowed)
	_, output := d.stop(t)

	first, second := auditLines(t, path+".1"), auditLines(t, path)
	var got []string
	for _, line := range append(first, second...) {
		got = append(got, strings.TrimSpace(fmt.Sprint(line.Decision, " ", line.Code, " ", line.Identifier)))
		if !strings.Contains(output, "reference="+line.Reference) || line.WebhookID != testID {
			t.Errorf("the line %+v is not that of an event in the log", line)
		}
	}
	want := []string{"allow  C02XK1JKLVCG", "deny deviceNotFound C02STRANGER1", "deny malformed", "allow  C02XK1JKLVCG", "allow  C02XK1JKLVCG"}
	if !slices.Equal(got, want) || len(second) != 1 {
		t.Errorf("the audit log has %q, the last %d in the new file, want %q", got, len(second), want)
	}
}

// killUnderLoad sends requests until the daemon is killed, and returns the references of the answers.
func killUnderLoad(t *testing.T, p *pki, d *process) []string {
	t.Helper()
	var mu sync.Mutex
	var references []string
	var working sync.WaitGroup
	for range 4 {
		s := newSigner(t, p, d.address, nil)
		working.Go(func() {
			for {
				_, text, err := s.send(t, order("C02STRANGER1"))
				if err != nil {
					return
				}
				found := regexp.MustCompile(`\(ref ([0-9A-Z]{8})\)`).FindStringSubmatch(text)
				if found == nil {
					t.Errorf("an answer without a reference: %s", text)
					return
				}
				mu.Lock()
				references = append(references, found[1])
				enough := len(references) == 400
				mu.Unlock()
				if enough {
					_ = d.cmd.Process.Kill()
				}
			}
		})
	}
	working.Wait()
	<-d.ended
	return references
}

// SIGKILL in the midst of it: what was answered is in the audit log, and every line there is whole.
func TestAuditLogSurvivesKill(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var answered []string
	for range 3 {
		answered = append(answered, killUnderLoad(t, p, startDaemon(t, workingEnvironment(t, p).with("AUDIT_LOG_PATH", path)))...)
	}
	// An unfinished line, as a kill may leave it, is removed by the next daemon.
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"time":"2026-11-24T11:30:00.123`); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	d := startDaemon(t, workingEnvironment(t, p).with("AUDIT_LOG_PATH", path))
	newSigner(t, p, d.address, nil).wantDecision(t, "after the kill", "C02XK1JKLVCG", allowed)
	if _, output := d.stop(t); !strings.Contains(output, "its 32 bytes were removed") {
		t.Errorf("the log does not say that an unfinished line was removed:\n%s", output)
	}
	written := auditReferences(auditLines(t, path))
	slices.Sort(written)
	if n := len(written); len(slices.Compact(slices.Clone(written))) != n {
		t.Error("a line is there twice")
	}
	for _, reference := range answered {
		if _, found := slices.BinarySearch(written, reference); !found {
			t.Errorf("%s was answered and is not in the audit log", reference)
		}
	}
	t.Logf("%d answers, %d lines", len(answered), len(written))
}

// Without room for the audit log decisions go on; each that is missing there is told, counted, and
// seen at /readyz, until there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	d := startDaemon(t, workingEnvironment(t, p).with("AUDIT_LOG_PATH", "/dev/full", "HEALTH_ADDRESS", freeHealth))
	s := newSigner(t, p, d.address, nil)
	if code, status, wrong := d.ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("before: /readyz = %d %s %q", code, status, wrong)
	}
	for range 3 {
		s.wantDecision(t, "without room", "C02XK1JKLVCG", allowed)
	}
	d.eventually(t, "each is counted", func() bool { return d.metric(t, "step_posture_audit_failures_total") == "3" })
	if code, status, wrong := d.ready(t); code != http.StatusOK || status != "degraded" || !strings.Contains(wrong["audit"], "no space left") {
		t.Errorf("/readyz = %d %s %q, want 200 degraded", code, status, wrong)
	}
	code, output := d.stop(t)
	references := regexp.MustCompile(`not in the audit log: write: no space left on device" reference=([0-9A-Z]{8})`).FindAllStringSubmatch(output, -1)
	if code != 0 || len(references) != 3 {
		t.Errorf("exit status %d, and %d lines are told to be missing, want 0 and 3:\n%s", code, len(references), output)
	}
}

// limited is the program with a limit for the size of the files that it writes, in blocks of the shell.
func limited(c *exec.Cmd) {
	c.Args = append([]string{"sh", "-c", `ulimit -f 4; exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
}

// A disk that becomes full in the midst of a line: the part that had room is taken back.
func TestDiskBecomesFull(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	d := startDaemon(t, workingEnvironment(t, p).with("AUDIT_LOG_PATH", path, "HEALTH_ADDRESS", freeHealth), limited)
	s := newSigner(t, p, d.address, nil)
	const requests = 30
	for range requests {
		s.wantDecision(t, "while it becomes full", "C02XK1JKLVCG", allowed)
	}
	d.eventually(t, "the full disk is seen", func() bool { _, _, wrong := d.ready(t); return strings.Contains(wrong["audit"], "file too large") })
	lines := len(auditLines(t, path))
	if failures := d.metric(t, "step_posture_audit_failures_total"); failures != fmt.Sprint(requests-lines) || lines == 0 || lines == requests {
		t.Errorf("%d lines written and %s failures for %d requests", lines, failures, requests)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	d.hangup(t)
	d.eventually(t, "the audit log is reopened", func() bool { return strings.Contains(d.output(), "reopened: audit log") })
	s.wantDecision(t, "with room", "C02XK1JKLVCG", allowed)
	d.eventually(t, "all is well again", func() bool { _, status, _ := d.ready(t); return status == "ok" })
	if code, output := d.stop(t); code != 0 {
		t.Errorf("exit status %d:\n%s", code, output)
	}
	if n := len(auditLines(t, path)); n != 1 {
		t.Errorf("%d lines in the new file, want 1", n)
	}
}

// An audit log that cannot be opened is a configuration error.
func TestAuditLogThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	folder := t.TempDir()
	for _, command := range []string{"serve", "check"} {
		got := runOnce(t, workingEnvironment(t, p).with("AUDIT_LOG_PATH", folder+"/none/audit.jsonl"), "", command)
		want := "AUDIT_LOG_PATH: " + folder + "/none/audit.jsonl: no such file or directory: the folder " + folder + "/none does not exist; accepted: the path of a file that can be appended to, in a folder that exists"
		if got.code != 1 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s = %d %s, want 1 %s", command, got.code, got.stderr, want)
		}
	}
	if got := runOnce(t, workingEnvironment(t, p).with("AUDIT_LOG_PATH", folder+"/audit.jsonl"), "", "check"); got.code != 0 {
		t.Errorf("check = %d %s, want 0", got.code, got.stderr)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("check has left %v behind (%v)", entries, err)
	}
}

// That nobody reads the log any more does not end the daemon.
func TestNobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	c := program(t, workingEnvironment(t, p).with("PORT", port))
	c.Stderr = writer
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()         //nolint:errcheck // it was killed
	defer c.Process.Kill() //nolint:errcheck // it may have ended
	_ = writer.Close()
	_ = reader.Close()
	s := newSigner(t, p, address, nil)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, _, err := s.send(t, order("C02XK1JKLVCG")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the daemon does not answer")
		}
	}
	for range 3 {
		s.wantDecision(t, "nobody reads the log", "C02XK1JKLVCG", allowed)
	}
}

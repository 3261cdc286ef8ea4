//go:build unix

package blackbox_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"step-posture-connector/internal/test/program"
)

func auditReferences(lines []program.AuditLine) []string {
	var found []string
	for _, line := range lines {
		found = append(found, line.Reference)
	}
	return found
}

// Every authenticated request has its line, with any result; no other request has one. After SIGHUP the
// daemon continues in a new file when the old one was renamed.
func TestAuditLog(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", path))
	s := program.NewStepCA(t, p, d.Address, nil)
	s.WantDecision(t, "known", "C02XK1JKLVCG", program.Allowed)
	s.WantDecision(t, "unknown", "C02UNKNOWN01", program.NotFound)
	if status, _, err := s.Send(t, []byte("{")); err != nil || status != http.StatusBadRequest {
		t.Errorf("a malformed request got %d (%v), want 400", status, err)
	}
	unauthenticated := *s
	unauthenticated.Key = []byte("another")
	if status, _, err := unauthenticated.Send(t, program.WebhookBody("C02XK1JKLVCG")); err != nil || status != http.StatusUnauthorized {
		t.Errorf("an unauthenticated client got %d (%v), want 401", status, err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.WantDecision(t, "renamed", "C02XK1JKLVCG", program.Allowed)
	d.Hangup(t)
	d.Eventually(t, "the audit log is reopened", func() bool { return strings.Contains(d.Output(), "reopened: audit log") })
	s.WantDecision(t, "reopened", "C02XK1JKLVCG", program.Allowed)
	_, output := d.Stop(t)

	first, second := program.ReadAuditLog(t, path+".1"), program.ReadAuditLog(t, path)
	var got []string
	for _, line := range append(first, second...) {
		got = append(got, strings.TrimSpace(fmt.Sprint(line.Decision, " ", line.Code, " ", line.Identifier)))
		if !strings.Contains(output, "reference="+line.Reference) || line.WebhookID != program.WebhookID {
			t.Errorf("the line %+v belongs to no event of the log", line)
		}
	}
	want := []string{"allow  C02XK1JKLVCG", "deny deviceNotFound C02UNKNOWN01", "deny malformed", "allow  C02XK1JKLVCG", "allow  C02XK1JKLVCG"}
	if !slices.Equal(got, want) || len(second) != 1 {
		t.Errorf("the audit log has %q, the last %d in the new file, want %q", got, len(second), want)
	}
}

// killUnderLoad sends requests until the daemon is killed, and returns the references of the answers.
func killUnderLoad(t *testing.T, p *program.PKI, d *program.Daemon) []string {
	t.Helper()
	var mu sync.Mutex
	var references []string
	var working sync.WaitGroup
	for range 4 {
		s := program.NewStepCA(t, p, d.Address, nil)
		working.Go(func() {
			for {
				_, text, err := s.Send(t, program.WebhookBody("C02UNKNOWN01"))
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
					_ = d.Cmd.Process.Kill()
				}
			}
		})
	}
	working.Wait()
	<-d.Ended
	return references
}

// SIGKILL under load: every answered request is in the audit log, and every line is complete.
func TestAuditLogSurvivesKill(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var answered []string
	for range 3 {
		answered = append(answered, killUnderLoad(t, p, program.StartDaemon(t, program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", path)))...)
	}
	// A kill may leave an unfinished line; the next daemon removes it.
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"time":"2026-11-24T11:30:00.123`); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", path))
	program.NewStepCA(t, p, d.Address, nil).WantDecision(t, "after the kill", "C02XK1JKLVCG", program.Allowed)
	if _, output := d.Stop(t); !strings.Contains(output, "its 32 bytes were removed") {
		t.Errorf("the log does not say that an unfinished line was removed:\n%s", output)
	}
	written := auditReferences(program.ReadAuditLog(t, path))
	slices.Sort(written)
	if n := len(written); len(slices.Compact(slices.Clone(written))) != n {
		t.Error("a line is duplicated")
	}
	for _, reference := range answered {
		if _, found := slices.BinarySearch(written, reference); !found {
			t.Errorf("%s was answered, but is not in the audit log", reference)
		}
	}
	t.Logf("%d answers, %d lines", len(answered), len(written))
}

// An audit log that cannot be opened is a configuration error.
func TestAuditLogThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	folder := t.TempDir()
	for _, command := range []string{"serve", "check"} {
		got := program.Run(t, program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", folder+"/none/audit.jsonl"), "", command)
		want := "AUDIT_LOG_PATH: " + folder + "/none/audit.jsonl: no such file or directory: the folder " + folder + "/none does not exist; accepted: the path of a file that can be appended to, in a folder that exists"
		if got.Code != 1 || !strings.Contains(got.Stderr, want) {
			t.Errorf("%s = %d %s, want 1 %s", command, got.Code, got.Stderr, want)
		}
	}
	if got := program.Run(t, program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", folder+"/audit.jsonl"), "", "check"); got.Code != 0 {
		t.Errorf("check = %d %s, want 0", got.Code, got.Stderr)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("check left %v behind (%v)", entries, err)
	}
}

//go:build unix

package blackbox_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// On a full disk decisions go on. Each decision that is missing in the audit log is logged and counted, and
// /readyz is degraded until the disk has space again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", "/dev/full", "HEALTH_ADDRESS", program.FreeHealth))
	s := program.NewStepCA(t, p, d.Address, nil)
	if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("before: /readyz = %d %s %q", code, status, wrong)
	}
	for range 3 {
		s.WantDecision(t, "on a full disk", "C02XK1JKLVCG", program.Allowed)
	}
	d.Eventually(t, "each is counted", func() bool { return d.Metric(t, "step_posture_audit_failures_total") == "3" })
	if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "degraded" || !strings.Contains(wrong["audit"], "no space left") {
		t.Errorf("/readyz = %d %s %q, want 200 degraded", code, status, wrong)
	}
	code, output := d.Stop(t)
	references := regexp.MustCompile(`not in the audit log: write: no space left on device" reference=([0-9A-Z]{8})`).FindAllStringSubmatch(output, -1)
	if code != 0 || len(references) != 3 {
		t.Errorf("exit code %d, and %d lines are reported as missing, want 0 and 3:\n%s", code, len(references), output)
	}
}

// limited sets a limit for the size of the files that the program writes, in blocks of the shell.
func limited(c *exec.Cmd) {
	c.Args = append([]string{"sh", "-c", `ulimit -f 4; exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
}

// When a disk becomes full within a line, the written part is removed.
func TestDiskBecomesFull(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("AUDIT_LOG_PATH", path, "HEALTH_ADDRESS", program.FreeHealth), limited)
	s := program.NewStepCA(t, p, d.Address, nil)
	const requests = 30
	for range requests {
		s.WantDecision(t, "while it becomes full", "C02XK1JKLVCG", program.Allowed)
	}
	d.Eventually(t, "the full disk is reported", func() bool { _, _, wrong := d.Ready(t); return strings.Contains(wrong["audit"], "file too large") })
	lines := len(program.ReadAuditLog(t, path))
	if failures := d.Metric(t, "step_posture_audit_failures_total"); failures != fmt.Sprint(requests-lines) || lines == 0 || lines == requests {
		t.Errorf("%d lines written and %s failures for %d requests", lines, failures, requests)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	d.Hangup(t)
	d.Eventually(t, "the audit log is reopened", func() bool { return strings.Contains(d.Output(), "reopened: audit log") })
	s.WantDecision(t, "with space", "C02XK1JKLVCG", program.Allowed)
	d.Eventually(t, "/readyz is ok again", func() bool { _, status, _ := d.Ready(t); return status == "ok" })
	if code, output := d.Stop(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, output)
	}
	if n := len(program.ReadAuditLog(t, path)); n != 1 {
		t.Errorf("%d lines in the new file, want 1", n)
	}
}

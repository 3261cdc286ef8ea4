//go:build unix

package blackbox_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// serviceManager is the service manager's end of NOTIFY_SOCKET. It records the daemon's reports.
func serviceManager(t *testing.T) (path string, reported func() []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "n") // short: the path of a socket has 104 bytes at most
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	var mu sync.Mutex
	var states []string
	go func() {
		message := make([]byte, 4096)
		for {
			n, err := socket.Read(message)
			if err != nil {
				return
			}
			state, _, _ := strings.Cut(string(message[:n]), "\n")
			mu.Lock()
			states = append(states, state)
			mu.Unlock()
		}
	}()
	return path, func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(states) }
}

// While the inventory file is written without pause, each SIGHUP reopens the audit log at once, and the daemon does
// not stay in the state RELOADING.
func TestHangupsWhileAFileIsWritten(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	folder := t.TempDir()
	inventory, audit := filepath.Join(folder, "devices.csv"), filepath.Join(folder, "audit.jsonl")
	program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	socket, reported := serviceManager(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", inventory, "FILE_TYPE", "csv", "AUDIT_LOG_PATH", audit, "NOTIFY_SOCKET", socket))
	s := program.NewStepCA(t, p, d.Address, nil)

	writing, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for writing.Err() == nil {
			now := time.Now()
			_ = os.Chtimes(inventory, now, now)
			time.Sleep(10 * time.Millisecond)
		}
	}()
	for _, moved := range []string{".1", ".2", ".3"} {
		if err := os.Rename(audit, audit+moved); err != nil {
			t.Fatal(err)
		}
		d.Hangup(t)
		d.Eventually(t, "the audit log is reopened", func() bool { _, err := os.Stat(audit); return err == nil })
		s.WantDecision(t, "after SIGHUP", "C02XK1JKLVCG", program.Allowed)
		if n := len(program.ReadAuditLog(t, audit)); n != 1 {
			t.Errorf("the new audit log has %d lines, want the decision after it was opened", n)
		}
	}
	d.Eventually(t, "it is ready although the file is still written", func() bool {
		states := reported()
		reloading := slices.Index(states, "RELOADING=1")
		return reloading >= 0 && slices.Contains(states[reloading:], "READY=1")
	})
	// On a slow machine the file may be quiet for long enough; then the reload succeeds.
	if output := d.Output(); !strings.Contains(output, "reload not finished after 10s, keeping the previous version until then: still being written to: inventory") {
		d.Eventually(t, "the inventory was reloaded instead", func() bool { return strings.Contains(d.Output(), "reloaded: 1 device") })
	}
	stop()
	d.Eventually(t, "the inventory is reloaded", func() bool { return strings.Contains(d.Output(), "reloaded: 1 device") })
	if code, output := d.Stop(t); code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, output)
	}
}

// A service manager that does not read its socket, so that the socket is full, delays neither reloads nor the
// shutdown.
func TestServiceManagerHangs(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	path := filepath.Join(t.TempDir(), "n")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	fill, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer fill.Close()
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("NOTIFY_SOCKET", path))
	if err := fill.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = fill.Write([]byte("X=1"))
	}
	d.Hangup(t)
	d.Eventually(t, "it reloads", func() bool { return strings.Contains(d.Output(), "reloaded: 3 devices") })
	if code, output := d.Stop(t); code != 0 || !strings.Contains(output, "notifying systemd failed: ") {
		t.Errorf("exit code %d, want 0 and a warning:\n%s", code, output)
	}
}

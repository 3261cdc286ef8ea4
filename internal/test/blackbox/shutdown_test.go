//go:build unix

package blackbox_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// signal tells the daemon to end, and returns when it accepts no more connections.
func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.address)
		if err != nil {
			return
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatalf("the daemon still accepts connections:\n%s", p.output())
		}
	}
}

// wantEnd waits for the end of the daemon.
func (p *process) wantEnd(t *testing.T, code int) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("the daemon does not end:\n%s", p.output())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit status %d, want %d:\n%s", got, code, p.output())
	}
}

func TestEndAnswersRequestsInFlight(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	for _, end := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		d := startDaemon(t, workingEnvironment(t, p))
		// Nobody waits for these.
		connect(t, p, d.address, "", "")
		connect(t, p, d.address, "http/1.1", "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
		connect(t, p, d.address, "http/1.1", "POST /webhook/device-attest HTTP/1.1\r\n")
		connect(t, p, d.address, "h2", "")
		h1, h2 := hold(t, p, d.address, "http/1.1"), hold(t, p, d.address, "h2")
		d.signal(t, end)
		for protocol, h := range map[string]*held{"HTTP/1.1": h1, "HTTP/2": h2} {
			if got, want := h.finish(t), `200 {"allow":true,"data":{}}`; got != want {
				t.Errorf("%v, %s: got %s, want %s", end, protocol, got, want)
			}
		}
		d.wantEnd(t, 0)
	}
}

func TestEndWithoutRequests(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	d := startDaemon(t, workingEnvironment(t, p))
	connect(t, p, d.address, "", "")
	connect(t, p, d.address, "", "\x16\x03\x01")
	connect(t, p, d.address, "http/1.1", "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
	connect(t, p, d.address, "h2", "")
	d.signal(t, syscall.SIGTERM)
	d.wantEnd(t, 0)
}

// step-ca keeps its connection, and pauses for a second before its only retry: by then, the next daemon must
// answer.
func TestEndIsQuick(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	best := time.Hour
	for range 3 {
		d := startDaemon(t, workingEnvironment(t, p))
		s := newSigner(t, p, d.address, nil)
		s.wantAllow(t, bareDevice, "{}")
		began := time.Now()
		d.signal(t, syscall.SIGTERM)
		// Not the end of the process, which the race detector delays by a second.
		d.eventually(t, "it has stopped", func() bool { return strings.Contains(d.output(), "stopped; every request was answered") })
		best = min(best, time.Since(began))
		d.wantEnd(t, 0)
	}
	if best > 800*time.Millisecond {
		t.Errorf("the end took %s at best, want less than step-ca's pause", best)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	d := startDaemon(t, workingEnvironment(t, p))
	hold(t, p, d.address, "http/1.1")
	d.signal(t, syscall.SIGTERM)
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.wantEnd(t, 1)
}

// A client that does not take its answer is cut off in the end, and the exit status says so.
func TestEndCutsOffWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.json")
	large := strings.Repeat("x", 32<<20) // more than the system keeps for a connection
	if err := os.WriteFile(inventory, fmt.Appendf(nil, `{"devices":[{"identifier":%q,"data":{"x":%q}}]}`, bareDevice, large), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, workingEnvironment(t, p).with("FILE_PATH", inventory))
	r, _ := signedRequest(t, d.address, bareDevice)
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	c := connect(t, p, d.address, "http/1.1", wire.String())
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	d.signal(t, syscall.SIGTERM)
	d.wantEnd(t, 1)
	if !strings.Contains(d.output(), "requests were still under way") {
		t.Errorf("the log does not say that requests were cut off:\n%s", d.output())
	}
}

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

	"step-posture-connector/internal/test/program"
)

// shutDown sends a signal, and returns when the daemon accepts no more connections.
func shutDown(t *testing.T, d *program.Daemon, s os.Signal) {
	t.Helper()
	d.Signal(t, s)
	for deadline := time.Now().Add(program.Patience); ; time.Sleep(time.Millisecond) {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.Address)
		if err != nil {
			return
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatalf("the daemon still accepts connections:\n%s", d.Output())
		}
	}
}

func TestShutdownAnswersRequestsInFlight(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	for _, end := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
		// The shutdown does not wait for these.
		connect(t, p, d.Address, "", "")
		connect(t, p, d.Address, "http/1.1", "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
		connect(t, p, d.Address, "http/1.1", "POST /webhook/device-attest HTTP/1.1\r\n")
		connect(t, p, d.Address, "h2", "")
		h1, h2 := hold(t, p, d.Address, "http/1.1"), hold(t, p, d.Address, "h2")
		shutDown(t, d, end)
		for protocol, h := range map[string]*held{"HTTP/1.1": h1, "HTTP/2": h2} {
			if got, want := h.finish(t), `200 {"allow":true,"data":{}}`; got != want {
				t.Errorf("%v, %s: got %s, want %s", end, protocol, got, want)
			}
		}
		d.WantExit(t, 0)
	}
}

func TestShutdownWithoutRequests(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
	connect(t, p, d.Address, "", "")
	connect(t, p, d.Address, "", "\x16\x03\x01")
	connect(t, p, d.Address, "http/1.1", "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
	connect(t, p, d.Address, "h2", "")
	shutDown(t, d, syscall.SIGTERM)
	d.WantExit(t, 0)
}

// step-ca keeps its connection, and pauses for a second before its only retry: by then, the next daemon must
// answer. A busy machine may need several tries to be that quick; a shutdown that waits never is.
func TestShutdownIsQuick(t *testing.T) {
	t.Parallel()
	const tries, limit = 10, 800 * time.Millisecond
	p := program.NewPKI(t)
	best := time.Hour
	for i := 0; i < tries && best > limit; i++ {
		d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
		s := program.NewStepCA(t, p, d.Address, nil)
		s.WantAllow(t, bareDevice, "{}")
		began := time.Now()
		shutDown(t, d, syscall.SIGTERM)
		// Not the exit of the process, which the race detector delays by a second.
		d.Eventually(t, "it has stopped", func() bool { return strings.Contains(d.Output(), "stopped; every request was answered") })
		best = min(best, time.Since(began))
		d.WantExit(t, 0)
	}
	if best > limit {
		t.Errorf("the shutdown took %s at best, want less than step-ca's pause", best)
	}
}

func TestSecondSignalExitsAtOnce(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
	hold(t, p, d.Address, "http/1.1")
	shutDown(t, d, syscall.SIGTERM)
	d.Signal(t, syscall.SIGTERM)
	d.WantExit(t, 1)
}

// A client that does not read its answer is disconnected at last, and the exit code reports that.
func TestShutdownDisconnectsSlowReaders(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.json")
	large := strings.Repeat("x", 32<<20) // more than the system buffers for a connection
	if err := os.WriteFile(inventory, fmt.Appendf(nil, `{"devices":[{"identifier":%q,"data":{"x":%q}}]}`, bareDevice, large), 0o600); err != nil {
		t.Fatal(err)
	}
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", inventory))
	r, _ := program.SignedRequest(t, d.Address, bareDevice)
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	c := connect(t, p, d.Address, "http/1.1", wire.String())
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	shutDown(t, d, syscall.SIGTERM)
	d.WantExit(t, 1)
	if !strings.Contains(d.Output(), "requests were still under way") {
		t.Errorf("the log does not report unfinished requests:\n%s", d.Output())
	}
}

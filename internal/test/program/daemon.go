package program

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Daemon is a running connector.
type Daemon struct {
	Address string // host:port
	Health  string // host:port, when the daemon was started with FreeHealth
	Doors   string // host:port, when the daemon was started with FreeDoors
	Cmd     *exec.Cmd
	Ended   chan struct{} // closed when the process has exited and its log has been read

	mu  sync.Mutex
	log strings.Builder
}

// StartDaemon starts the daemon on a port that was free a moment ago, and waits until it listens. The test's end
// kills it.
func StartDaemon(t *testing.T, env Environment, changes ...func(*exec.Cmd)) *Daemon {
	t.Helper()
	for {
		d := newDaemon(t, env)
		for _, change := range changes {
			change(d.Cmd)
		}
		stderr, err := d.Cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		listening := make(chan struct{})
		d.start(t, func() { d.read(stderr, listening) })
		select {
		case <-listening:
			return d
		case <-d.Ended:
			if !strings.Contains(d.Output(), "address already in use") {
				t.Fatalf("the daemon exited:\n%s", d.Output())
			}
		case <-time.After(Patience):
			t.Fatalf("the daemon does not listen:\n%s", d.Output())
		}
	}
}

// StartWithLog starts the daemon with a file of the test as its log, so Output is empty. It waits until the health
// listener answers.
func StartWithLog(t *testing.T, env Environment, log *os.File) *Daemon {
	t.Helper()
	const tries = 5 // another program may take one of the ports
	for range tries {
		d := newDaemon(t, env.With("HEALTH_ADDRESS", FreeHealth))
		d.Cmd.Stderr = log
		d.start(t, func() {})
		healthy := false
		d.Eventually(t, "it answers or exits", func() bool {
			status, _ := d.Get(t, "/healthz")
			healthy = status == http.StatusOK
			return healthy || d.exited()
		})
		if healthy {
			return d
		}
	}
	t.Fatal("the daemon does not start")
	return nil
}

func newDaemon(t *testing.T, env Environment) *Daemon {
	t.Helper()
	d := &Daemon{Address: FreeAddress(t), Ended: make(chan struct{})}
	_, port, _ := net.SplitHostPort(d.Address)
	env = env.With("PORT", port)
	if env["HEALTH_ADDRESS"] == FreeHealth {
		d.Health = FreeAddress(t)
		env["HEALTH_ADDRESS"] = d.Health
	}
	if env["DOOR_ADDRESS"] == FreeDoors {
		d.Doors = FreeAddress(t)
		env["DOOR_ADDRESS"] = d.Doors
	}
	d.Cmd = Command(t, env)
	return d
}

func (d *Daemon) start(t *testing.T, readLog func()) {
	t.Helper()
	if err := d.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		readLog()
		_ = d.Cmd.Wait()
		close(d.Ended)
	}()
	t.Cleanup(func() { _ = d.Cmd.Process.Kill(); <-d.Ended })
}

// FreeAddress chooses a port below those that the system assigns by itself, so that no outgoing connection takes it
// before the daemon does.
func FreeAddress(t *testing.T) string {
	t.Helper()
	for {
		port := 20000 + int(time.Now().UnixNano()/1000%9000)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err == nil {
			_ = listener.Close()
			return address
		}
	}
}

func (d *Daemon) read(stderr io.Reader, listening chan struct{}) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		d.mu.Lock()
		d.log.WriteString(line)
		d.mu.Unlock()
		if strings.Contains(line, "listening on") {
			close(listening)
		}
		if err != nil {
			return
		}
	}
}

// Output is the log so far.
func (d *Daemon) Output() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// Signal sends a signal.
func (d *Daemon) Signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.Cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Hangup sends SIGHUP.
func (d *Daemon) Hangup(t *testing.T) {
	t.Helper()
	d.Signal(t, syscall.SIGHUP)
}

// Stop sends SIGTERM, waits for the exit, and returns the exit code and the whole log.
func (d *Daemon) Stop(t *testing.T) (code int, output string) {
	t.Helper()
	d.Signal(t, syscall.SIGTERM)
	d.wait(t)
	return d.Cmd.ProcessState.ExitCode(), d.Output()
}

// WantExit waits until the daemon exits, with a code.
func (d *Daemon) WantExit(t *testing.T, code int) {
	t.Helper()
	d.wait(t)
	if got := d.Cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d:\n%s", got, code, d.Output())
	}
}

func (d *Daemon) exited() bool {
	select {
	case <-d.Ended:
		return true
	default:
		return false
	}
}

func (d *Daemon) wait(t *testing.T) {
	t.Helper()
	select {
	case <-d.Ended:
	case <-time.After(Patience):
		t.Fatalf("the daemon does not exit:\n%s", d.Output())
	}
}

// Eventually waits until a condition holds.
func (d *Daemon) Eventually(t *testing.T, condition string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			output := d.Output()
			t.Fatalf("not within %s: %s\n…%s", Patience, condition, output[max(0, len(output)-10_000):])
		}
	}
}

// Pause waits for some time, or until ctx ends.
func Pause(ctx context.Context, howLong time.Duration) {
	timer := time.NewTimer(howLong)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

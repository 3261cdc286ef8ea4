package blackbox_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/test/repository"
)

// asDaemon makes the test binary behave as the program, so that the tests drive the whole of it in
// a process of its own: exit codes, signals, output.
const asDaemon = "STEP_POSTURE_CONNECTOR_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		os.Exit(command.Main("development", ""))
	}
	if err := repository.Enter(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const (
	patience   = time.Minute // for anything that must happen; far more than it takes
	testID     = "0d0f4a2e-6f8a-4f6c-9a57-0a4f5d3c2b1a"
	testSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // #nosec G101 -- made for the tests
)

// freeHealth as HEALTH_ADDRESS has startDaemon choose one.
const freeHealth = "free"

// environment is what a test sets; it starts from a configuration that works.
type environment map[string]string

func workingEnvironment(t *testing.T, p *pki) environment {
	t.Helper()
	return environment{
		"PROVIDER":        "file",
		"FILE_PATH":       filepath.Join("testdata", "devices.json"),
		"FILE_TYPE":       "json",
		"TLS_CERT_PATH":   p.serverCert,
		"TLS_KEY_PATH":    p.serverKey,
		"WEBHOOK_IDS":     testID,
		"WEBHOOK_SECRETS": testSecret,
		"BIND_ADDRESS":    "127.0.0.1",
		"HEALTH_ADDRESS":  "off", // else all would want the same
	}
}

func (e environment) with(pairs ...string) environment {
	all := environment{}
	for name, value := range e {
		all[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func (e environment) list() []string {
	list := []string{asDaemon + "=1"}
	for name, value := range e {
		list = append(list, name+"="+value)
	}
	return list
}

func program(t *testing.T, env environment, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...) // #nosec G204 -- the test binary itself
	c.Env = env.list()
	return c
}

type result struct {
	code           int
	stdout, stderr string
}

// runOnce runs the program to its end.
func runOnce(t *testing.T, env environment, directory string, args ...string) result {
	t.Helper()
	c := program(t, env, args...)
	c.Dir = directory
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// process is a running daemon.
type process struct {
	address string // host:port
	health  string // host:port, where the daemon was started with health "free"
	roots   *pki   // whose certificate it has, where a test has several
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process is gone and all it wrote was read

	mu    sync.Mutex
	wrote strings.Builder
}

// startDaemon starts the daemon on a port that was free a moment ago, and waits until it listens.
func startDaemon(t *testing.T, env environment, changes ...func(*exec.Cmd)) *process {
	t.Helper()
	for {
		p := &process{address: freeAddress(t), ended: make(chan struct{})}
		_, port, _ := net.SplitHostPort(p.address)
		env := env.with("PORT", port)
		if env["HEALTH_ADDRESS"] == freeHealth {
			p.health = freeAddress(t)
			env["HEALTH_ADDRESS"] = p.health
		}
		p.cmd = program(t, env)
		for _, change := range changes {
			change(p.cmd)
		}
		stderr, err := p.cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		listening := make(chan struct{})
		go p.read(stderr, listening)
		t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
		select {
		case <-listening:
			return p
		case <-p.ended:
			if !strings.Contains(p.output(), "address already in use") {
				t.Fatalf("the daemon ended:\n%s", p.output())
			}
		case <-time.After(patience):
			t.Fatalf("the daemon does not listen:\n%s", p.output())
		}
	}
}

// freeAddress chooses a port below those that the system gives out by itself, so that no other test
// gets it between now and the daemon's start.
func freeAddress(t *testing.T) string {
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

func (p *process) read(stderr io.Reader, listening chan struct{}) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.wrote.WriteString(line)
		p.mu.Unlock()
		if strings.Contains(line, "listening on") {
			close(listening)
		}
		if err != nil {
			break
		}
	}
	_ = p.cmd.Wait()
	close(p.ended)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrote.String()
}

// stop sends SIGTERM and returns the exit code and everything the daemon wrote.
func (p *process) stop(t *testing.T) (code int, output string) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-p.ended:
	case <-ctx.Done():
		t.Fatalf("the daemon does not end:\n%s", p.output())
	}
	return p.cmd.ProcessState.ExitCode(), p.output()
}

// pause waits for some time, or until the end.
func pause(ctx context.Context, howLong time.Duration) {
	timer := time.NewTimer(howLong)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

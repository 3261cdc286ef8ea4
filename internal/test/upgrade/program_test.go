package upgrade_test

import (
	"bytes"
	"context"
	"maps"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// starter makes a program ready to start: ours, or v1.0.0.
type starter func(t *testing.T, env program.Environment, args ...string) *exec.Cmd

// ours is the connector of this repository.
func ours(t *testing.T, env program.Environment, args ...string) *exec.Cmd {
	t.Helper()
	return program.Command(t, env, args...)
}

// v1 is a build of v1.0.0 at a path. It has no variable for the address, so it listens on all of them.
func v1(path string) starter {
	return func(t *testing.T, env program.Environment, args ...string) *exec.Cmd {
		t.Helper()
		c := exec.CommandContext(t.Context(), path, args...) //nolint:gosec // G702: the path is of whoever runs the test
		for name, value := range env {
			c.Env = append(c.Env, name+"="+value)
		}
		return c
	}
}

// running is a program that was started: it listens on address, or has exited.
type running struct {
	address string // empty when it has exited
	code    int
	output  *output
}

// output is what a program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(text) //nolint:wrapcheck // it never fails
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a program in a folder and waits until it accepts connections or exits. The end of the test kills it.
func (s starter) start(t *testing.T, folder string, env program.Environment, args ...string) running {
	t.Helper()
	for {
		address := program.FreeAddress(t)
		_, port, _ := net.SplitHostPort(address)
		all := program.Environment{"PORT": port, "BIND_ADDRESS": "127.0.0.1", "HEALTH_ADDRESS": "off"}
		maps.Copy(all, env)
		c := s(t, all, args...)
		written := &output{}
		c.Dir, c.Stdout, c.Stderr = folder, written, written
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = c.Wait(); close(ended) }()
		t.Cleanup(func() { _ = c.Process.Kill(); <-ended })
		switch {
		case accepts(t, address, written, ended):
			return running{address: address, output: written}
		case !strings.Contains(written.String(), "address already in use"):
			return running{code: c.ProcessState.ExitCode(), output: written}
		}
	}
}

// accepts waits until the program accepts connections at the address, or has ended. What it says tells it from another one that
// has taken the port meanwhile; v1.0.0 says it a moment before it listens.
func accepts(t *testing.T, address string, written *output, ended <-chan struct{}) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), program.Patience)
	defer cancel()
	for ctx.Err() == nil {
		if text := written.String(); strings.Contains(text, "listening on ") || strings.Contains(text, "listener starting on ") {
			connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
			if err == nil {
				_ = connection.Close()
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("nothing listens on %s, and the program does not exit", address)
	return false
}

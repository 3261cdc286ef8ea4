package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startLimit is how long a server may take until it is ready. It needs a second or two on a quiet machine.
	startLimit = 2 * time.Minute
	// stopLimit is how long it may take to end after its signal; then it is killed.
	stopLimit = 20 * time.Second
	// pollInterval is the pause between two questions whether it is ready.
	pollInterval = 50 * time.Millisecond
	// portAttempts is how often a port is chosen that another program takes first.
	portAttempts = 5
)

// errPortTaken means that another program took the port between its choice and its use.
var errPortTaken = errors.New("address already in use")

// server is a program that runs until stop.
type server struct {
	name   string
	output output
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Wait; read only after done is closed
}

// start starts a program, and waits until ready returns nil. A program that is not ready in time, or ends, is an error
// with what it has printed; it is stopped then.
func start(ctx context.Context, ready func(context.Context) error, path string, arguments ...string) (*server, error) {
	// It outlives the start: stop ends it.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(running, path, arguments...)
	s := &server{name: filepath.Base(path), cancel: cancel, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	cmd.Env = []string{"PATH=/usr/bin:/bin"} // nothing of the user's settings
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopLimit
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	go func() {
		defer close(s.done)
		s.err = cmd.Wait()
	}()
	if err := s.await(ctx, ready); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			if strings.Contains(s.output.String(), errPortTaken.Error()) {
				return fmt.Errorf("%s: %w", s.name, errPortTaken)
			}
			return fmt.Errorf("%s ended before it was ready: %w\n%s", s.name, s.err, s.output.last())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %s: %w\n%s", s.name, startLimit, err, s.output.last())
		case <-time.After(pollInterval):
		}
	}
}

// stop ends the program, and waits until it has ended.
func (s *server) stop() {
	s.cancel()
	<-s.done
}

// onFreePorts calls begin with free TCP ports of 127.0.0.1, and again with others where another program was faster.
func onFreePorts(ctx context.Context, count int, begin func(ports []int) error) error {
	var err error
	for range portAttempts {
		var ports []int
		if ports, err = freePorts(ctx, count); err != nil {
			return err
		}
		if err = begin(ports); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// freePorts keeps all of them open until it has chosen the last, so that they differ.
func freePorts(ctx context.Context, count int) (ports []int, err error) {
	var config net.ListenConfig
	for range count {
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // it has no connection
		address, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("the listener is at %v, want a TCP address", listener.Addr())
		}
		ports = append(ports, address.Port)
	}
	return ports, nil
}

// output may be read while the program writes.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// last returns the last lines: an API server prints thousands.
func (o *output) last() string {
	const most = 4000
	text := o.String()
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return text
}

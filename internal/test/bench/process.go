package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Ports are drawn from below the range that the system hands out by itself, so that no outgoing
// connection takes one between the trial and its use.
const (
	firstPort = 20000
	portCount = 10000
	attempts  = 20
)

const (
	startLimit = 60 * time.Second // for an inventory of a million devices on a slow machine
	stopLimit  = 20 * time.Second // the daemon gives its requests 15 s
	pollEvery  = 5 * time.Millisecond
	logTail    = 2000 // bytes of a log that an error shows
)

// process is a server that this program started.
type process struct {
	name    string
	address string
	command *exec.Cmd
	log     string // path
	began   time.Time
	toReady time.Duration // from its start until it could be connected to
	done    chan struct{}
	err     error // how it ended; read only after done is closed
}

// recipe says how to start a server on an address.
type recipe struct {
	name    string
	log     string // path
	command maker
}

// maker makes the command that serves on an address.
type maker func(ctx context.Context, address string) *exec.Cmd

// start starts a server on a free port and waits until it can be connected to.
func start(ctx context.Context, r recipe) (*process, error) {
	var lastErr error
	for range attempts {
		offset, err := rand.Int(rand.Reader, big.NewInt(portCount))
		if err != nil {
			return nil, fmt.Errorf("draw a port: %w", err)
		}
		address := fmt.Sprintf("%s:%d", host, firstPort+offset.Int64())
		if lastErr = tryAddress(ctx, address); lastErr != nil {
			continue
		}
		p, err := launch(ctx, r, address)
		if err != nil {
			return nil, err
		}
		if lastErr = p.await(ctx); lastErr == nil {
			return p, nil
		}
		_ = p.stop()
		if !strings.Contains(p.tail(), "address already in use") {
			break
		}
	}
	return nil, lastErr
}

func tryAddress(ctx context.Context, address string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("find a free port: %w", err)
	}
	if err := listener.Close(); err != nil {
		return fmt.Errorf("give the port back: %w", err)
	}
	return nil
}

func launch(ctx context.Context, r recipe, address string) (*process, error) {
	log, err := os.Create(r.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", r.name, err)
	}
	defer log.Close()
	p := &process{name: r.name, address: address, log: r.log, done: make(chan struct{}), command: r.command(ctx, address)}
	p.command.Stdout, p.command.Stderr = log, log
	p.command.Cancel = func() error { return p.command.Process.Signal(syscall.SIGTERM) }
	p.command.WaitDelay = stopLimit
	endWithUs(p.command)
	p.began = time.Now()
	started := make(chan error)
	go func() {
		// The process ends with the thread that started it, so this one has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.command.Start()
		started <- err
		if err == nil {
			p.err = p.command.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", r.name, err)
	}
	return p, nil
}

// await returns when the server accepts connections.
func (p *process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var dialer net.Dialer
	for {
		connection, err := dialer.DialContext(ctx, "tcp", p.address)
		if err == nil {
			p.toReady = time.Since(p.began)
			_ = connection.Close()
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended instead of serving: %w\n%s", p.name, howEnded(p.err), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w", p.name, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// undisturbed runs do without the garbage collection of this program itself, which would take the
// machine from the server that is measured.
func undisturbed(do func() error) error {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return do()
}

// spent is the CPU time that the process uses while do runs.
func (p *process) spent(do func() error) (time.Duration, error) {
	before, err := cpuTime(p.command.Process.Pid)
	if err != nil {
		return 0, err
	}
	if err := undisturbed(do); err != nil {
		return 0, err
	}
	after, err := cpuTime(p.command.Process.Pid)
	return after - before, err
}

// memory is what the process holds in memory.
func (p *process) memory() (memory, error) { return memoryOf(p.command.Process.Pid) }

// stop asks the process to end and waits until it has. An exit status other than 0 is an error.
func (p *process) stop() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself: %w\n%s", p.name, howEnded(p.err), p.tail())
	default:
	}
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopLimit):
		_ = p.command.Process.Kill()
		<-p.done
	}
	// A cancelled context, as after Ctrl-C, is no fault of the process.
	if p.err != nil && !errors.Is(p.err, context.Canceled) {
		return fmt.Errorf("%s did not end in order: %w\n%s", p.name, p.err, p.tail())
	}
	return nil
}

func howEnded(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// tail is the end of the process's log.
func (p *process) tail() string {
	log, err := os.Open(p.log)
	if err != nil {
		return ""
	}
	defer log.Close()
	if size, err := log.Seek(0, io.SeekEnd); err == nil {
		_, _ = log.Seek(max(0, size-logTail), io.SeekStart)
	}
	text, _ := io.ReadAll(log)
	return string(text)
}

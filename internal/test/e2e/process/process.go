// Package process runs the programs under test, keeps their output, and stops them.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	// pollInterval is the pause between Await's checks.
	pollInterval = 20 * time.Millisecond
	// killDelay is how long a program may take to exit after its signal.
	killDelay = 20 * time.Second
)

// Spec says what to run. The program does not inherit the caller's environment, so
// the user's settings and files cannot change the result.
type Spec struct {
	Path string
	Args []string
	Dir  string
	Env  []string
	// Attributes are of the system, such as another user; nil changes nothing.
	Attributes *syscall.SysProcAttr
	// Ends is the signal by which the program ends; nil is SIGTERM.
	Ends os.Signal
}

// Process is a program that runs or has exited.
type Process struct {
	name   string
	output *output
	cancel context.CancelFunc
	signal func(os.Signal) error
	done   chan struct{}
	err    error // result of Wait; read only after done is closed
}

// Start runs a program until it exits, Stop is called or ctx ends.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := command(ctx, spec)
	p := &Process{
		name:   filepath.Base(spec.Path),
		output: new(output),
		cancel: cancel,
		done:   make(chan struct{}),
	}
	cmd.Stdout = p.output
	cmd.Stderr = p.output
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	p.signal = cmd.Process.Signal
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Run runs a program until it exits, and returns its standard output. When it fails,
// the error has all its output.
func Run(ctx context.Context, spec Spec) (string, error) {
	cmd := command(ctx, spec)
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %q: %w\n%s%s", filepath.Base(spec.Path), spec.Args, err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// Result is the output and the exit code of a program.
type Result struct {
	Stdout, Stderr string
	Status         int
}

// Finish runs a program until it exits, with any exit code. An error means that
// it could not be run, or that a signal ended it.
func Finish(ctx context.Context, spec Spec) (Result, error) {
	cmd := command(ctx, spec)
	var stdout, stderr bytes.Buffer
	cmd.Stdout = &stdout
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !exit.Exited() || ctx.Err() != nil) {
		return Result{}, fmt.Errorf("%s %q: %w\n%s", filepath.Base(spec.Path), spec.Args, err, &stderr)
	}
	return Result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}, nil
}

func command(ctx context.Context, spec Spec) *exec.Cmd {
	cmd := exec.CommandContext(ctx, spec.Path, spec.Args...)
	cmd.Dir = spec.Dir
	// A nil Env would mean the caller's.
	cmd.Env = append([]string{}, spec.Env...)
	cmd.SysProcAttr = spec.Attributes
	ends := spec.Ends
	if ends == nil {
		ends = syscall.SIGTERM
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(ends) }
	cmd.WaitDelay = killDelay
	return cmd
}

// Await calls ready repeatedly until it returns nil. It gives up when the program
// exits or ctx ends; the error then has the program's output.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s exited early: %w\n%s", p.name, exitError(p.err), p.Output())
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w (%w)\n%s", p.name, ctx.Err(), err, p.Output())
		case <-ticker.C:
		}
	}
}

// Stop sends the signal and waits until the program has exited. The error is nil for
// exit code 0.
func (p *Process) Stop() error {
	p.cancel()
	<-p.done
	// exec returns this for a program that exited with 0 after the signal.
	if errors.Is(p.err, context.Canceled) {
		return nil
	}
	return p.err
}

// Kill ends the program at once, by SIGKILL, and waits until it has exited.
func (p *Process) Kill() error {
	err := p.signal(os.Kill)
	p.cancel()
	<-p.done
	return err
}

// Signal sends a signal to the program.
func (p *Process) Signal(signal os.Signal) error { return p.signal(signal) }

// Wait waits until the program has exited by itself. The error is nil for exit code 0.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w\n%s", p.name, ctx.Err(), p.Output())
	}
}

// Output returns what the program has printed so far on either stream.
func (p *Process) Output() string { return p.output.String() }

// exitError names an exit that is unexpected although its code is 0.
func exitError(err error) error {
	if err == nil {
		return errors.New("exit code 0")
	}
	return err
}

// output is a buffer that may be read while a program writes to it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String returns everything that was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

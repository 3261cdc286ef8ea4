package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// target is a server that is measured.
type target struct {
	name    string
	devices int // 0 for the floor
	process *process
	clients clients
	rounds  []round
}

// round is what one round of one server took.
type round struct {
	requests int
	cpu      time.Duration
}

// perRequest is the CPU time of one request, in microseconds.
func (r round) perRequest() float64 {
	return float64(r.cpu) / float64(time.Microsecond) / float64(r.requests)
}

// bench is one run.
type bench struct {
	options
	folder   folder
	caller   *caller
	trusted  *x509.CertPool
	progress io.Writer
	targets  []*target
}

// measureAll runs the whole benchmark and cleans up after it.
func measureAll(ctx context.Context, o options, out, progress io.Writer) (err error) {
	if _, err := cpuTime(os.Getpid()); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "posture-bench-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // nothing depends on it any more
	b := &bench{options: o, folder: folder(temporary), progress: progress}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.run(ctx); err != nil {
		return err
	}
	return b.publish(out)
}

// start builds the daemon and starts every server.
func (b *bench) start(ctx context.Context) error {
	secret, trusted, err := b.folder.prepare()
	if err != nil {
		return err
	}
	b.trusted = trusted
	if b.caller, err = newCaller(secret); err != nil {
		return err
	}
	b.say("building the daemon")
	binary := filepath.Join(string(b.folder), "step-posture-connector")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "step-posture-connector") //nolint:gosec // G204: in our own temporary folder
	build.Env = append(b.environ, "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the daemon: %w\n%s", err, output)
	}
	if err := b.add(ctx, "floor", 0, b.floor); err != nil {
		return err
	}
	for _, devices := range b.devices {
		inventory := filepath.Join(string(b.folder), strconv.Itoa(devices)+".csv")
		if err := writeInventory(inventory, devices); err != nil {
			return err
		}
		daemon := func(ctx context.Context, address string) *exec.Cmd {
			return b.daemon(ctx, binary, address, inventory, secret)
		}
		if err := b.add(ctx, thousands(devices)+" devices", devices, daemon); err != nil {
			return err
		}
	}
	return nil
}

// floor is this very program.
func (b *bench) floor(ctx context.Context, address string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.CommandContext(ctx, self, floorArgument, address, string(b.folder)) //nolint:gosec // G204: ourselves
}

// daemon is the connector as an operator runs it. It inherits nothing, so that no setting of the
// caller changes what is measured.
func (b *bench) daemon(ctx context.Context, binary, address, inventory string, secret []byte) *exec.Cmd {
	_, port, _ := net.SplitHostPort(address)
	command := exec.CommandContext(ctx, binary)
	command.Dir = string(b.folder)
	command.Env = []string{
		"PROVIDER=file", "FILE_TYPE=csv", "FILE_PATH=" + inventory,
		"TLS_CERT_PATH=" + b.folder.certificate(), "TLS_KEY_PATH=" + b.folder.key(),
		"WEBHOOK_IDS=" + webhookID, "WEBHOOK_SECRETS=" + base64.StdEncoding.EncodeToString(secret),
		"BIND_ADDRESS=" + host, "PORT=" + port,
		"HEALTH_ADDRESS=off",
	}
	return command
}

// add starts a server.
func (b *bench) add(ctx context.Context, name string, devices int, command maker) error {
	b.say("starting: %s", name)
	log := filepath.Join(string(b.folder), fmt.Sprintf("log-%d.txt", len(b.targets)))
	process, err := start(ctx, recipe{name, log, command})
	if err != nil {
		return err
	}
	b.targets = append(b.targets, &target{name: name, devices: devices, process: process})
	return nil
}

// run makes the rounds. The servers take turns, so that whatever else the machine does meanwhile
// hits all of them alike. A first round, not counted, lets each of them warm up. On a machine that
// is too slow for all rounds within the time limit, there are fewer.
func (b *bench) run(ctx context.Context) error {
	began := time.Now()
	for n := range b.rounds + 1 {
		if spent := time.Since(began); n > leastRounds && spent/time.Duration(n)*time.Duration(n+1) > b.limit {
			b.say("%d of %d rounds were made in %s", n-1, b.rounds, spent.Round(time.Second))
			break
		}
		b.say("round %d of %d", n, b.rounds)
		for _, t := range b.targets {
			measured, err := b.round(ctx, t)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if n > 0 {
				t.rounds = append(t.rounds, measured)
			}
		}
	}
	return nil
}

func (b *bench) round(ctx context.Context, t *target) (round, error) {
	calls, err := b.calls(ctx, t)
	if err != nil {
		return round{}, err
	}
	// Not earlier: a connection on which no request comes is closed after some seconds.
	if t.clients == nil {
		if t.clients, err = dial(ctx, t.process.address, b.trusted); err != nil {
			return round{}, err
		}
	}
	before, err := cpuTime(t.process.command.Process.Pid)
	if err != nil {
		return round{}, err
	}
	if err := t.clients.drive(ctx, calls); err != nil {
		return round{}, err
	}
	after, err := cpuTime(t.process.command.Process.Pid)
	if err != nil {
		return round{}, err
	}
	return round{len(calls), after - before}, nil
}

// calls prepares the requests of a round, for devices from everywhere in the inventory.
func (b *bench) calls(ctx context.Context, t *target) ([]call, error) {
	calls := make([]call, b.requests)
	devices := max(t.devices, 1000)
	now := time.Now()
	for i := range calls {
		d := device(i * scatter % devices)
		one, err := b.caller.call(ctx, t.process.address, d, now)
		if err != nil {
			return nil, err
		}
		if t.devices == 0 {
			one.want = allowing(floorDevice.data())
		}
		calls[i] = one
	}
	return calls, nil
}

// stop ends every server; each must have lived until now and end in order.
func (b *bench) stop() error {
	var faults []error
	for _, t := range b.targets {
		t.clients.close()
		faults = append(faults, t.process.stop())
	}
	return errors.Join(faults...)
}

func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "bench: "+format+"\n", args...)
}

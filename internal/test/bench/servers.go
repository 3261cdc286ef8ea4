package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// target is a server that is measured.
type target struct {
	*process
	devices int // 0 for the floor
	mutual  bool
}

// build builds the daemon and the simulated Jamf Pro server, as they are in the working tree.
func (b *bench) build(ctx context.Context) error {
	b.say("building the connector")
	// The go command knows where the sources are: go.mod says so.
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", productModule).Output()
	if err != nil {
		return fmt.Errorf("find the connector's sources (run this in its own module): %w", err)
	}
	for path, source := range map[string]string{b.daemonPath(): ".", b.fakePath(): "./internal/provider/jamf/jamftest/cmd/fakejamf"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", path, source)
		build.Dir = strings.TrimSpace(string(out))
		build.Env = append(b.environ, "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", source, err, output)
		}
	}
	return nil
}

const productModule = "step-posture-connector"

func (b *bench) daemonPath() string { return b.folder.file("step-posture-connector") }

func (b *bench) fakePath() string { return b.folder.file("fakejamf") }

// self is a command of this very program.
func self(ctx context.Context, args ...string) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		path = os.Args[0]
	}
	return exec.CommandContext(ctx, path, args...) //nolint:gosec // G702: ourselves
}

// run starts a server, which is ended with the benchmark at the latest.
func (b *bench) run(ctx context.Context, name string, command maker) (*process, error) {
	b.started++
	p, err := start(ctx, recipe{name, b.folder.file(fmt.Sprintf("%d.log", b.started)), command})
	if err != nil {
		return nil, err
	}
	b.processes = append(b.processes, p)
	return p, nil
}

// end ends servers before the others. Each must have lived until now and end in order.
func (b *bench) end(ended ...*process) error {
	var first error
	for _, p := range ended {
		b.processes = slices.DeleteFunc(b.processes, func(other *process) bool { return other == p })
		if err := p.stop(); first == nil {
			first = err
		}
	}
	return first
}

// floor starts the floor.
func (b *bench) floor(ctx context.Context, mutual bool) (*target, error) {
	args := []string{string(b.folder)}
	if mutual {
		args = append(args, mutualArgument)
	}
	p, err := b.run(ctx, "floor", func(ctx context.Context, address string) *exec.Cmd {
		return self(ctx, append([]string{floorArgument, address}, args...)...)
	})
	return &target{process: p, mutual: mutual}, err
}

// daemon starts the connector with an inventory file.
func (b *bench) daemon(ctx context.Context, in inventory, mutual bool) (*target, error) {
	settings := map[string]string{"PROVIDER": "file", "FILE_TYPE": in.format, "FILE_PATH": in.path}
	if mutual {
		maps.Copy(settings, map[string]string{
			"ENABLE_MTLS": "1", "TLS_CA_PATH": b.folder.clientCA(), "MTLS_ALLOWED_NAMES": clientName,
		})
	}
	p, err := b.run(ctx, thousands(in.devices)+" devices", b.connector(settings))
	return &target{process: p, devices: in.devices, mutual: mutual}, err
}

// daemonOf is the same with an inventory of so many devices, as CSV.
func (b *bench) daemonOf(ctx context.Context, devices int, mutual bool) (*target, error) {
	in, err := b.folder.inventory(formatCSV, devices)
	if err != nil {
		return nil, err
	}
	return b.daemon(ctx, in, mutual)
}

// connector is the connector as an operator runs it. It inherits nothing, so that no setting of the
// caller changes what is measured.
func (b *bench) connector(settings map[string]string) maker {
	return func(ctx context.Context, address string) *exec.Cmd {
		_, port, _ := net.SplitHostPort(address)
		command := exec.CommandContext(ctx, b.daemonPath())
		command.Dir = string(b.folder)
		command.Env = []string{
			"TLS_CERT_PATH=" + b.folder.certificate(), "TLS_KEY_PATH=" + b.folder.key(),
			"WEBHOOK_IDS=" + webhookID, "WEBHOOK_SECRETS=" + base64.StdEncoding.EncodeToString(b.identity.secret),
			"BIND_ADDRESS=" + host, "PORT=" + port, "HEALTH_ADDRESS=off",
		}
		for _, name := range slices.Sorted(maps.Keys(settings)) {
			command.Env = append(command.Env, name+"="+settings[name])
		}
		return command
	}
}

// floorDevices is how many devices the floor is asked about; its answer is always the same.
const floorDevices = 1000

// calls prepares requests, for devices from everywhere in the inventory.
func (b *bench) calls(ctx context.Context, t *target, count int, k kind) ([]call, error) {
	calls := make([]call, count)
	devices := t.devices
	if devices == 0 {
		devices = floorDevices
	}
	now := time.Now()
	for i := range calls {
		one, err := b.caller.call(ctx, t.address, device(i*scatter%devices), now, k)
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

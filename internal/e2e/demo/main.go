// Command demo shows the connector at work to somebody who has never seen it: it
// builds everything, starts a real step-ca and the connector on the loopback
// interface, and lets a known device, an unknown one and a forger try.
//
// It exits with 1 when any of them is not treated as it should be. Whatever
// happens, nothing of it stays: neither processes nor files outside of the
// build folder.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"step-posture-connector/internal/e2e/device"
	"step-posture-connector/internal/e2e/gate"
	"step-posture-connector/internal/e2e/stepca"
	"step-posture-connector/internal/e2e/toolchain"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once we are stopping, a second signal ends us at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Stdout)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "\nInterrupted. All processes are stopped, all files removed.")
		os.Exit(1)
	case err != nil:
		fmt.Fprintf(os.Stderr, "\nThe demo FAILED: %v\n", err)
		os.Exit(1)
	}
}

// run does everything from building to cleaning up.
func run(ctx context.Context, out *os.File) (err error) {
	fmt.Fprint(out, "Step Posture Connector: a demonstration with a real step-ca.\n"+
		"All of it runs on this machine, on 127.0.0.1, in a temporary folder.\n\n")
	programs, err := build(ctx, out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "step-posture-demo-")
	if err != nil {
		return fmt.Errorf("make temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	s := &stage{dir: dir, programs: programs}
	defer func() { err = errors.Join(err, s.strike()) }()
	if err := during(ctx, out, "Starting step-ca and the connector", s.set); err != nil {
		return err
	}
	for _, scene := range []func(context.Context, *stage, io.Writer) error{
		knownDevice, unknownDevice, forgedCall,
	} {
		fmt.Fprintln(out)
		if err := scene(ctx, s, out); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "\nAll three went as they should. Stopping and cleaning up.")
	return nil
}

// build makes the programs, and keeps saying that it is alive meanwhile.
func build(ctx context.Context, out *os.File) (toolchain.Toolchain, error) {
	programs, err := toolchain.Locate(ctx)
	if err != nil {
		return programs, err
	}
	if !programs.HasTools() {
		fmt.Fprintln(out, "step-ca and step are built from source. The first time, this takes some minutes.")
	}
	if err := during(ctx, out, "Building step-ca and step", programs.BuildTools); err != nil {
		return programs, err
	}
	return programs, during(ctx, out, "Building the connector", programs.BuildConnector)
}

// stage is what the scenes are played on: a CA, a gate before it, and a
// manufacturer whose attestations the CA trusts.
type stage struct {
	dir      string
	programs toolchain.Toolchain
	ca       *stepca.CA
	gate     *gate.Gate
	maker    *device.Manufacturer
}

// set starts everything.
func (s *stage) set(ctx context.Context) error {
	var err error
	if s.maker, err = device.NewManufacturer(); err != nil {
		return err
	}
	caDir, gateDir := filepath.Join(s.dir, "ca"), filepath.Join(s.dir, "connector")
	for _, dir := range []string{caDir, gateDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	s.ca, err = stepca.Init(ctx, stepca.Config{
		StepCA:           s.programs.StepCA(),
		Step:             s.programs.Step(),
		Dir:              caDir,
		RemoteManagement: true,
	})
	if err != nil {
		return err
	}
	if err := s.ca.Start(ctx); err != nil {
		return err
	}
	s.gate, err = gate.Open(ctx, s.ca, gate.Config{
		Binary: s.programs.Connector(),
		Dir:    gateDir,
		Provisioner: stepca.Provisioner{
			Name:             "devices",
			AttestationRoots: s.maker.RootPEM(),
			Template:         gate.Template,
		},
		Kind:          stepca.Enriching,
		ServerKey:     stepca.EC,
		Inventory:     inventory,
		InventoryType: "csv",
		MutualTLS:     false,
	})
	return err
}

// strike stops everything that set started.
func (s *stage) strike() error {
	var errs []error
	if s.gate != nil {
		if err := s.gate.Close(); err != nil {
			errs = append(errs, fmt.Errorf("stop the connector: %w", err))
		}
	}
	if s.ca != nil {
		if err := s.ca.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop step-ca: %w", err))
		}
	}
	return errors.Join(errs...)
}

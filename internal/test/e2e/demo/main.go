// Command demo shows the connector at work to somebody who has never seen it: it
// builds everything, starts a real step-ca and the connector on the loopback
// interface, and lets a known device, an unknown one and a forger try. With
// -provider jamf it plays a Jamf Pro server too, and shows which devices that
// server keeps out, and what happens when it cannot be asked.
//
// It exits with 1 when any of them is not treated as it should be. Whatever
// happens, nothing of it stays: neither processes nor files outside of the
// build folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/toolchain"
)

func main() {
	provider := flag.String("provider", "file", "the inventory that decides: file or jamf")
	flag.Parse()
	show, known := shows()[*provider]
	if !known || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once we are stopping, a second signal ends us at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, show, os.Stdout)
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

// show is what the demo shows with one kind of inventory.
type show struct {
	with   string // what takes part, besides the connector
	jamf   bool   // whether a Jamf Pro server does
	open   func(ctx context.Context, s *stage) error
	scenes []func(ctx context.Context, s *stage, out io.Writer) error
	moral  string
}

// shows are the shows by the names of the providers.
func shows() map[string]show {
	return map[string]show{
		"file": {
			with:   "a real step-ca",
			open:   openFile,
			scenes: []func(context.Context, *stage, io.Writer) error{knownDevice, unknownDevice, forgedCall},
			moral:  "All three went as they should.",
		},
		"jamf": {
			with:   "a real step-ca and a simulated Jamf Pro server",
			jamf:   true,
			open:   openJamf,
			scenes: []func(context.Context, *stage, io.Writer) error{memberMac, outsiderPhone, askWhy, jamfDown, jamfUp},
			moral:  "All of it went as it should.",
		},
	}
}

// run does everything from building to cleaning up.
func run(ctx context.Context, show show, out *os.File) (err error) {
	fmt.Fprintf(out, "Step Posture Connector: a demonstration with %s.\n"+
		"All of it runs on this machine, on 127.0.0.1, in a temporary folder.\n\n", show.with)
	if show.jamf {
		if err := fakejamf.Supported(); err != nil {
			return err
		}
	}
	programs, err := build(ctx, show, out)
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
	err = during(ctx, out, "Starting everything", func(ctx context.Context) error { return s.set(ctx, show.open) })
	if err != nil {
		return err
	}
	for _, scene := range show.scenes {
		fmt.Fprintln(out)
		if err := scene(ctx, s, out); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%s Stopping and cleaning up.\n", show.moral)
	return nil
}

// build makes the programs, and keeps saying that it is alive meanwhile.
func build(ctx context.Context, show show, out *os.File) (toolchain.Toolchain, error) {
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
	if show.jamf {
		if err := during(ctx, out, "Building the Jamf Pro server", programs.BuildFakeJamf); err != nil {
			return programs, err
		}
	}
	return programs, during(ctx, out, "Building the connector", programs.BuildConnector)
}

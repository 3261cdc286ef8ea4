// Command demo shows a new user what the connector does. It builds everything,
// starts a real step-ca and the connector on the loopback interface, and then a
// known device, an unknown device and an attacker try. With -show jamf it
// simulates a Jamf Pro server too, and shows which devices that server excludes,
// and what happens when it cannot be reached. With -show policy it adds a rule to
// an inventory file: first it only reports, then it refuses. With -show people it
// gives certificates to people who log in at an identity provider, by their group.
// With -show wifi and -show web, devices show their certificates to FreeRADIUS and
// to nginx, which ask the connector whether the device is still good.
//
// It exits with 1 when a result is not the expected one. It always removes what it
// has made: processes, and files outside of the build folder.
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
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/toolchain"
)

func main() {
	show := flag.String("show", "file", "what to show: file, jamf, policy, people, wifi or web")
	flag.Parse()
	demo, known := demonstrations()[*show]
	if !known || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// While the demo stops, a second signal kills it.
	context.AfterFunc(ctx, stop)
	err := run(ctx, demo, os.Stdout)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "\nInterrupted. All processes are stopped and all temporary files removed.")
		os.Exit(1)
	case err != nil:
		fmt.Fprintf(os.Stderr, "\nThe demo FAILED: %v\n", err)
		os.Exit(1)
	}
}

// demonstration is what the demo shows in one run.
type demonstration struct {
	with    string            // the other servers
	jamf    bool              // whether one is a Jamf Pro server
	ca      []string          // further arguments of step ca init
	needs   map[string]string // programs of the system, and Debian's packages of them
	open    func(ctx context.Context, s *setup) error
	steps   []func(ctx context.Context, s *setup, out io.Writer) error
	summary string
}

// demonstrations are keyed by the values of -show.
func demonstrations() map[string]demonstration {
	return map[string]demonstration{
		"file": {
			with:    "a real step-ca",
			open:    openFile,
			steps:   []func(context.Context, *setup, io.Writer) error{knownDevice, unknownDevice, forgedRequest},
			summary: "All three results are as expected.",
		},
		"jamf": {
			with:    "a real step-ca and a simulated Jamf Pro server",
			jamf:    true,
			open:    openJamf,
			steps:   []func(context.Context, *setup, io.Writer) error{macInGroup, phoneOutsideGroup, lookUpReason, jamfUnreachable, jamfBack},
			summary: "All five results are as expected.",
		},
		"policy": {
			with:    "a real step-ca and a policy file",
			open:    openPolicy,
			steps:   []func(context.Context, *setup, io.Writer) error{reportOnly, enforced, replayed},
			summary: "All three results are as expected.",
		},
		"people": {
			with:    "a real step-ca and a small identity provider",
			ca:      []string{"--ssh"},
			open:    openPeople,
			steps:   []func(context.Context, *setup, io.Writer) error{member, outsider, removed},
			summary: "All three results are as expected.",
		},
		"wifi": {
			with:    "a real step-ca and FreeRADIUS",
			needs:   map[string]string{"freeradius": wifiPackages, "eapol_test": wifiPackages},
			open:    openWiFi,
			steps:   []func(context.Context, *setup, io.Writer) error{enrolled, joined, turnedAway, wouldRefuse},
			summary: "All four results are as expected.",
		},
		"web": {
			with:    "a real step-ca and nginx",
			needs:   map[string]string{"nginx": "nginx-light"},
			open:    openWeb,
			steps:   []func(context.Context, *setup, io.Writer) error{enrolled, opened, shutOut, wouldRefuse},
			summary: "All four results are as expected.",
		},
	}
}

// run does everything from building to cleaning up.
func run(ctx context.Context, demo demonstration, out *os.File) (err error) {
	fmt.Fprintf(out, "Step Posture Connector: a demo with %s.\n"+
		"Everything runs on this machine, on 127.0.0.1, and in a temporary folder that is removed at the end.\n\n", demo.with)
	if demo.jamf {
		if err := fakejamf.Supported(); err != nil {
			return err
		}
	}
	for name, debian := range demo.needs {
		if _, err := process.Program(name, debian); err != nil {
			return err
		}
	}
	programs, err := build(ctx, demo, out)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "step-posture-demo-")
	if err != nil {
		return fmt.Errorf("make temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	s := &setup{dir: dir, programs: programs}
	defer func() { err = errors.Join(err, s.stop()) }()
	err = during(ctx, out, "Starting the servers", func(ctx context.Context) error { return s.start(ctx, demo) })
	if err != nil {
		return err
	}
	for _, step := range demo.steps {
		fmt.Fprintln(out)
		if err := step(ctx, s, out); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%s Stopping everything and removing the temporary folder.\n", demo.summary)
	return nil
}

// build builds the programs, and shows progress meanwhile.
func build(ctx context.Context, demo demonstration, out *os.File) (toolchain.Toolchain, error) {
	programs, err := toolchain.Locate(ctx)
	if err != nil {
		return programs, err
	}
	if !programs.HasTools() {
		fmt.Fprintln(out, "step-ca and step are built from source; the first time this takes some minutes.")
	}
	if err := during(ctx, out, "Building step-ca and step", programs.BuildTools); err != nil {
		return programs, err
	}
	if demo.jamf {
		if err := during(ctx, out, "Building the simulated Jamf Pro server", programs.BuildFakeJamf); err != nil {
			return programs, err
		}
	}
	return programs, during(ctx, out, "Building the connector", programs.BuildConnector)
}

// Command step-posture-connector decides for step-ca which attested devices get a certificate.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"step-posture-connector/internal/command"
)

// The linker sets these (see the Makefile).
var (
	version = "development"
	commit  = ""
)

func main() {
	os.Exit(run())
}

// run ends with the first SIGTERM or SIGINT in an orderly way; a second one ends the process at once.
func run() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(command.ExitError)
	}()
	return command.Run(ctx, command.Process{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Version: version,
		Commit:  revision(),
		Settle:  settle,
	})
}

// revision falls back to what the Go toolchain recorded when it built the program from a checkout.
func revision() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "unknown"
}

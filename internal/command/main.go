package command

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Main runs the program in this process and returns its exit code. The first SIGTERM or SIGINT ends it in an
// orderly way; a second one ends the process at once.
func Main(version, commit string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(ExitError)
	}()
	return Run(ctx, Process{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Version: version,
		Commit:  revision(commit),
	})
}

// revision is the commit that the linker has set, or else the one that the Go toolchain recorded when it built
// the program from a checkout.
func revision(commit string) string {
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

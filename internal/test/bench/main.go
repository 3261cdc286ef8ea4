// Command bench measures what the connector costs, beside a floor in the same run: a bare net/http
// TLS server that reads the body, computes its HMAC and writes a constant. It prints one table with
// the goals of docs/performance.md, which also says how each line is measured.
//
//	go run . [-short] [-only PART,…] [-large N] [-out FILE.md] [-svg FILE.svg] [-docs FILE.md]
//
// It fails when an answer was wrong or a process failed, never because something was slow. It is a
// module of its own, because the chart is drawn by a library that the product must not depend on.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	exitOK    = 0
	exitError = 1
	exitUsage = 64
)

// hangLimit ends a run that hangs.
const hangLimit = 30 * time.Minute

// floorArgument, as the first one, makes this program the floor instead of the benchmark.
const floorArgument = "floor"

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == floorArgument {
		return report(serveFloor(ctx, os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == lookupArgument {
		return report(serveLookupFloor(ctx, os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == doorsArgument {
		return report(serveDoorsFloor(ctx, os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == readArgument {
		return report(readOnce(os.Args[2:]))
	}
	options, err := parseOptions(os.Args[1:], os.Stderr)
	if err != nil {
		return exitUsage // what is wrong was printed
	}
	options.environ = os.Environ()
	ctx, cancel := context.WithTimeout(ctx, hangLimit)
	defer cancel()
	return report(measureAll(ctx, options, os.Stdout, os.Stderr))
}

// report prints an error and turns it into the exit status.
func report(err error) int {
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		return exitError
	}
	return exitOK
}

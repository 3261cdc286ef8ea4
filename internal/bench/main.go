// Command bench measures what a webhook call costs the daemon: CPU time of the server process for
// each request, beside a floor in the same run. The floor is a bare net/http TLS server that reads
// the body, computes its HMAC and writes a constant.
//
//	go run ./internal/bench [-short] [-requests N] [-rounds N] [-devices 1000,1000000] [-out FILE.md]
//
// It fails when an answer was wrong or a process failed, never because something was slow.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	exitOK    = 0
	exitError = 1
	exitUsage = 64
)

// hangLimit ends a run that hangs.
const hangLimit = 5 * time.Minute

// leastRounds are made however long they take.
const leastRounds = 3

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
	options, err := parseOptions(os.Args[1:], os.Stderr)
	if err != nil {
		return exitUsage // what is wrong was printed
	}
	options.environ = os.Environ()
	ctx, cancel := context.WithTimeout(ctx, hangLimit)
	defer cancel()
	return report(measureAll(ctx, options, os.Stdout, os.Stderr))
}

// report tells an error and turns it into the exit status.
func report(err error) int {
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		return exitError
	}
	return exitOK
}

// options say what is measured.
type options struct {
	requests int           // in each round
	rounds   int           // of each server
	devices  []int         // sizes of the inventory, each measured with a daemon of its own
	limit    time.Duration // for all rounds together
	environ  []string      // for the go command that builds the daemon
	out      string
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o := options{}
	short := flags.Bool("short", false, "few requests: shows that it works, measures roughly")
	flags.IntVar(&o.requests, "requests", 0, "requests in each round (default 12000, with -short 2000)")
	flags.IntVar(&o.rounds, "rounds", 0, "rounds of each server (default 9, with -short 3)")
	sizes := flags.String("devices", "1000,1000000", "sizes of the inventory, separated by commas")
	flags.StringVar(&o.out, "out", "", "file that gets the result as Markdown, besides standard output")
	if err := flags.Parse(args); err != nil {
		return o, err //nolint:wrapcheck // it was printed already
	}
	fallback := options{requests: 12000, rounds: 9, limit: 45 * time.Second}
	if *short {
		fallback = options{requests: 2000, rounds: 3, limit: 10 * time.Second}
	}
	if o.requests == 0 {
		o.requests = fallback.requests
	}
	if o.rounds == 0 {
		o.rounds = fallback.rounds
	}
	o.limit = fallback.limit
	for word := range strings.SplitSeq(*sizes, ",") {
		size, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil {
			size = 0
		}
		o.devices = append(o.devices, size)
	}
	if err := o.check(flags.NArg()); err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return o, err
	}
	return o, nil
}

func (o options) check(surplus int) error {
	if surplus > 0 || o.requests < connections || o.rounds < 1 {
		return fmt.Errorf("want -requests of at least %d, -rounds of at least 1 and no further arguments", connections)
	}
	for _, size := range o.devices {
		if size < 1 || size > maxDevices {
			return fmt.Errorf("want -devices from 1 to %d, separated by commas", maxDevices)
		}
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// during runs work and shows progress: on a terminal it counts seconds, elsewhere it
// prints a line every ten seconds.
func during(ctx context.Context, out *os.File, label string, work func(context.Context) error) error {
	begin := time.Now()
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()

	terminal := isTerminal(out)
	interval := 10 * time.Second
	if terminal {
		interval = time.Second
		fmt.Fprintf(out, "%s ...", label)
	} else {
		fmt.Fprintf(out, "%s ...\n", label)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			result := "done"
			switch {
			case ctx.Err() != nil:
				result = "stopped"
			case err != nil:
				result = "failed"
			}
			report(out, terminal, label, result, time.Since(begin))
			return err
		case <-ticker.C:
			if terminal {
				fmt.Fprintf(out, "\r%s ... %d s", label, int(time.Since(begin).Seconds()))
			} else {
				fmt.Fprintf(out, "  still running after %d s\n", int(time.Since(begin).Seconds()))
			}
		}
	}
}

// report prints the result of the work.
func report(out *os.File, terminal bool, label, result string, took time.Duration) {
	if terminal {
		fmt.Fprintf(out, "\r%s ... %s (%.1f s)\n", label, result, took.Seconds())
	} else {
		fmt.Fprintf(out, "  %s (%.1f s)\n", result, took.Seconds())
	}
}

// isTerminal reports whether a person is likely to watch.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

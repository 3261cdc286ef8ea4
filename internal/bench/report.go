package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

const percent = 100

// publish prints the result, and writes it to a file where that was asked for.
func (b *bench) publish(out io.Writer) error {
	text := b.table() + "\n" + b.notes()
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	if b.out == "" {
		return nil
	}
	if err := os.WriteFile(b.out, []byte(text), 0o644); err != nil { //nolint:gosec // G306: a report is for everybody
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// table has one line for each server.
func (b *bench) table() string {
	var text strings.Builder
	text.WriteString("| server | CPU per request, median | lowest – highest round | mean of all rounds | median to floor | mean to floor |\n")
	text.WriteString("|---|---:|---:|---:|---:|---:|\n")
	floor := summarize(b.targets[0].rounds)
	for _, t := range b.targets {
		s := summarize(t.rounds)
		fmt.Fprintf(&text, "| %s | %.1f µs | %.1f – %.1f µs | %.1f µs | %.2f | %.2f |\n",
			t.name, s.median, s.lowest, s.highest, s.mean, s.median/floor.median, s.mean/floor.mean)
	}
	return text.String()
}

// notes say how the numbers came about and how far they can be trusted.
func (b *bench) notes() string {
	var text strings.Builder
	if len(b.targets) > 2 {
		small, large := b.targets[1], b.targets[len(b.targets)-1]
		s, l := summarize(small.rounds), summarize(large.rounds)
		fmt.Fprintf(&text, "%s relative to %s: %.2f (median), %.2f (mean).\n", large.name, small.name, l.median/s.median, l.mean/s.mean)
	}
	noise := 0.0
	for _, t := range b.targets {
		s := summarize(t.rounds)
		noise = max(noise, (s.highest-s.lowest)/s.median)
	}
	fmt.Fprintf(&text, "Rounds of the same server differed by up to %.0f %%; differences well below that mean nothing.\n", noise*percent)
	text.WriteString("The mean holds what happens in few rounds only, such as a garbage collection of a large heap; the median leaves it out.\n\n")
	fmt.Fprintf(&text, "%d rounds of %s requests for each server in turn, HTTP/1.1 keep-alive, %d connections, every answer checked.\n",
		len(b.targets[0].rounds), thousands(b.requests), connections)
	fmt.Fprintf(&text, "CPU: %s. %s %s/%s, %d CPUs.\n", cpuSource, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	return text.String()
}

// summary is what the rounds of one server come to, in microseconds of CPU time for each request.
type summary struct{ median, lowest, highest, mean float64 }

func summarize(rounds []round) summary {
	all := round{}
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = r.perRequest()
		all.requests += r.requests
		all.cpu += r.cpu
	}
	slices.Sort(values)
	middle := values[len(values)/2]
	if len(values)%2 == 0 {
		middle = (middle + values[len(values)/2-1]) / 2
	}
	return summary{median: middle, lowest: values[0], highest: values[len(values)-1], mean: all.perRequest()}
}

// thousands writes a number as people read it: 1,000,000.
func thousands(number int) string {
	digits := strconv.Itoa(number)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

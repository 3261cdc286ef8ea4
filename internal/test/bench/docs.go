package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

const percent = 100

// The result replaces what stands between these lines of a document.
const (
	beginLine = "<!-- The next lines are written by make bench-docs. -->"
	endLine   = "<!-- The lines before are written by make bench-docs. -->"
)

// publish prints the result, and writes it to the files that were asked for.
func (b *bench) publish(out io.Writer) error {
	text := table(b.rows) + "\n" + b.remarks()
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	var faults []error
	if b.out != "" {
		faults = append(faults, write(b.out, text))
	}
	if b.docs != "" {
		faults = append(faults, insert(b.docs, text))
	}
	if b.svg != "" && len(b.curve.points) > 0 {
		faults = append(faults, writeChart(b.svg, b.curve))
	}
	return errors.Join(faults...)
}

func write(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // G306: every user may read a report
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// insert puts the result between the two lines of a document.
func insert(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	changed, err := between(string(old), text)
	if err != nil {
		return fmt.Errorf("write the result: %s: %w", path, err)
	}
	return write(path, changed)
}

// between replaces what stands between the two lines, which the document must have once each and in order.
func between(document, text string) (string, error) {
	before, rest, begins := strings.Cut(document, beginLine+"\n")
	_, after, ends := strings.Cut(rest, endLine+"\n")
	if !begins || !ends || strings.Contains(after, beginLine) || strings.Contains(after, endLine) {
		return "", fmt.Errorf("want one line %q and after it one line %q", beginLine, endLine)
	}
	return before + beginLine + "\n\n" + text + "\n" + endLine + "\n" + after, nil
}

// remarks say how the numbers came about and how far they can be trusted.
func (b *bench) remarks() string {
	var text strings.Builder
	hits, misses := 0, 0
	for _, r := range b.rows {
		switch r.result {
		case hit:
			hits++
		case miss:
			misses++
		}
	}
	fmt.Fprintf(&text, "%d goals hit, %d missed. %s run, %s %s/%s, %d CPUs.\n", hits, misses, b.scale.name, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if b.noise > 0 {
		fmt.Fprintf(&text, "Rounds of the floor itself differed by up to %.0f %% of their median: that much noise the machine had.\n", b.noise*percent)
	}
	for _, note := range b.notes {
		fmt.Fprintln(&text, note)
	}
	return text.String()
}

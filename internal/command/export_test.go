package command

import (
	"context"
	"io"
	"iter"
	"time"

	"step-posture-connector/internal/export"
)

// AtOnce is how many devices are asked about at the same time.
const AtOnce = atOnce

// ReadList reads a list of identifiers.
func ReadList(in io.Reader) iter.Seq2[string, error] { return readList(in) }

// AskAll asks about devices, and passes on in which order the answers come.
func AskAll(ctx context.Context, identifiers iter.Seq2[string, error], ask func(identifier string)) iter.Seq[string] {
	answers := askAll(ctx, identifiers, func(identifier string) explained {
		ask(identifier)
		return explained{Identifier: identifier}
	})
	return func(yield func(string) bool) {
		for answer := range answers {
			if !yield((<-answer).Identifier) {
				return
			}
		}
	}
}

// Progress shows on a terminal how many records were listed, and removes the line.
func Progress(out io.Writer, name string, now func() time.Time) (show func(records int), remove func()) {
	p := &progress{out: out, name: name, now: now}
	return p.show, p.clear
}

// Summarize is the line about an export.
func Summarize(name string, s export.Summary) string { return summarize(name, s) }

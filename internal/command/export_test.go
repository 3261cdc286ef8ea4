package command

import (
	"context"
	"io"
	"iter"
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

package export

import (
	"context"

	"step-posture-connector/internal/posture"
)

// WriteColliding is Write with a hash that is the same for all keys.
func WriteColliding(ctx context.Context, from posture.Lister, o Options) (Summary, error) {
	return write(ctx, from, o, func([]byte) uint64 { return 7 })
}

// Cell returns the cell of a text.
func Cell(text string) string { return cell(text) }

// Groups returns the cell of names.
func Groups(names []string) string { return groups(names) }

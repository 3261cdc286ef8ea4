package replay

import (
	"context"
	"io"
)

// MaxBatchLines is maxBatchLines.
const MaxBatchLines = maxBatchLines

// BatchesOf reads a log, and returns the number of lines of each batch.
func BatchesOf(ctx context.Context, log io.Reader) (lines []int, err error) {
	err = readFile(ctx, "-", log, func(b *batch) error {
		lines = append(lines, len(b.ends))
		return nil
	})
	return lines, err
}

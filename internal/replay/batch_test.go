package replay_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/replay"
)

// A few kilobytes of gzip can be gigabytes of line ends. The outcomes of the lines of a batch are in memory together, so a
// batch has few of them, however short they are.
func TestBatchHasFewLines(t *testing.T) {
	t.Parallel()
	const all = 3*replay.MaxBatchLines + 1
	lines, err := replay.BatchesOf(t.Context(), strings.NewReader(strings.Repeat("\n", all)))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range lines {
		sum += n
		if n > replay.MaxBatchLines {
			t.Errorf("a batch has %d lines", n)
		}
	}
	if sum != all {
		t.Errorf("the batches have %d lines, want %d", sum, all)
	}
}

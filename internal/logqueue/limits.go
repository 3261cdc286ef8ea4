package logqueue

import "time"

// The limits of the queue. docs/operation.md lists the time limits; a test compares.
const (
	// maxWaiting bounds the lines that wait, in bytes: about a second of 10,000 lines a second.
	maxWaiting = 4 << 20
	// maxKept is how large a buffer is kept for the next lines, in bytes.
	maxKept = 64 << 10
	// maxWrite is how much is written at once, in bytes, where a line is not longer. Up to this size (PIPE_BUF) a
	// write to a pipe is all or nothing, so lines do not mix with those of other writers.
	maxWrite = 4 << 10
	// maxFileWrite is the same for a regular file, where lines do not mix.
	maxFileWrite = 64 << 10
	// gathering is the least time between two batches: lines that come meanwhile are written together, because a write
	// costs a tenth of a request.
	gathering = 5 * time.Millisecond
	// stuckAfter is how long a write may take before /readyz reports that it is stuck. No request waits for a write, so
	// this is no part of step-ca's 10 s.
	stuckAfter = time.Second
)

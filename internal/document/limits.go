package document

import "time"

// The bounds of a document.
const (
	MaxBytes = 1 << 20
	maxNodes = 100_000 // after aliases were followed
)

// maxFaults is how many faults are printed.
const maxFaults = 100

// LongestDuration is what longer durations are taken for; it is beyond all bounds.
const LongestDuration = 365 * 24 * time.Hour

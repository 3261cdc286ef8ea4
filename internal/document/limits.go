package document

// The bounds of a document.
const (
	MaxBytes = 1 << 20
	maxNodes = 100_000 // after aliases were followed
)

// maxFaults is how many faults are printed.
const maxFaults = 100

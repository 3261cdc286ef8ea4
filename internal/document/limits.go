package document

// The bounds of a document.
const (
	MaxBytes = 1 << 20
	maxNodes = 100_000 // after aliases were followed
)

const (
	// maxFaults is how many faults are printed.
	maxFaults = 100
	// maxUnderlined is how many faults there may be so that each is underlined: more are a list to work through.
	maxUnderlined = 20
	// widest is how much of a line is underlined, in characters.
	widest = 100
)

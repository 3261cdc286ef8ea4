package health

import "time"

// The limits of Ask. docs/operation.md lists the time limits; a test compares.
const (
	// askTimeout is how long an answer of the health listener is awaited. No check waits for anything, so a daemon that is
	// able to answer does so at once; health checks of containers have 5 s or more.
	askTimeout = 5 * time.Second
	// maxReport bounds the answer that is read, in bytes: another program may listen at the address.
	maxReport = 1 << 20
)

package compat

import "time"

// The limits of a request. docs/operation.md lists the time limits; a test compares.
const (
	// budget is the time within which a request is answered, from the end of its header on. The body has to come within it too.
	// enrollhandler itself waits without a limit.
	budget = 9 * time.Second
	// maxBody is the largest request body, in bytes.
	maxBody = 64 << 10
	// maxShown is how much of a text that a client chose is in an event, in bytes: all of an identifier that is accepted.
	maxShown = 256
)

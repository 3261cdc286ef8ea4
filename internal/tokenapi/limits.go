package tokenapi

import "time"

// The limits of a request. docs/operation.md lists the time limits; a test compares.
const (
	// budget is the time within which a request is answered, from the end of its header on. The body has to come within it too.
	budget = 9 * time.Second
	// maxBody is the largest request body, in bytes.
	maxBody = 4 << 10
	// maxTokenID is the longest ID of a token that is looked up, in bytes. Those that are issued have 26.
	maxTokenID = 64
	// perSecond is how many requests a second a client may send, and at once after a pause.
	perSecond = 10
	// maxShown is how much of a text that a client chose is shown in an event or a message, in bytes.
	maxShown = 64
	// maxIdentifier is how much of an identifier or a UDID an event shows, in bytes: all of one that is accepted.
	maxIdentifier = 512
)

package webhook

import "time"

// The limits of a request. All of them follow from step-ca, which stops listening after 10 s. docs/operation.md lists the
// time limits; a test compares.
const (
	// Budget is the time within which a request is answered. What is left of step-ca's 10 s is for the network and for
	// writing the answer.
	Budget = 9 * time.Second
	// tokenBudget is Budget where the client has one try: the CA has 15 s for all webhooks of such a request, and beyond that
	// the client is cut off although the certificate is issued.
	tokenBudget = 6 * time.Second
	// firstPause is the pause before a fault is tried again within tokenBudget; each further one is twice as long.
	firstPause = 250 * time.Millisecond
	// writeReserve is kept of Budget for the answer when the provider has given up.
	writeReserve = 500 * time.Millisecond
	// writing is kept of writeReserve for the answer when the audit log has given up.
	writing = 100 * time.Millisecond
	// bodyTimeout is the time for a body on HTTP/1.1. It must not be shorter than Budget; see receive.
	bodyTimeout = 10 * time.Second

	// MaxBody is the largest request body, in bytes. The largest that step-ca was seen to send has 3.2 KiB.
	MaxBody = 64 << 10
	// usualBody has room for all that step-ca sends, in bytes. A client that announces more gets room as it sends, not
	// because it says so.
	usualBody = 8 << 10
	// maxDepth is how deep JSON may be nested, counted in objects and arrays: a thousand levels below the object that the
	// body is.
	maxDepth = 1 + 1000
	// maxShownName is how much of a parameter's name an error shows, in characters.
	maxShownName = 64
)

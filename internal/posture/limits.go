package posture

import "time"

// The time limits of the domain. docs/operation.md lists them; a test compares.
const (
	// headStart is how long an inventory may take before the next one of a policy is asked too: two slow ones, one after
	// the other, would not answer within step-ca's 10 s.
	headStart = 300 * time.Millisecond
	// futureTolerance is how far in the future a time of an inventory may be, whose clock may be in another time zone.
	futureTolerance = 24 * time.Hour

	// maxGroups is how many groups an inventory may give of one device, and maxText how long a text may be, in bytes.
	maxGroups = 10_000
	maxText   = 4 << 10
)

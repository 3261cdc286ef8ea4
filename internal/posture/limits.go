package posture

import "time"

// The time limits of the domain. docs/operation.md lists them; a test compares.
const (
	// futureTolerance is how far in the future a time of an inventory may be, whose clock may be in another time zone.
	futureTolerance = 24 * time.Hour
)

package apple

import "time"

// The limits that only Apple needs; package vendorhttp has those of every request. Apple publishes none.
const (
	// maxRequests is how many requests run at once: of clients with more streams, some were reset.
	maxRequests = 4
	// requestsASecond and burst are far below what clients have been answered.
	requestsASecond = 20
	burst           = 20

	// lockout is how long nothing is asked after a 429 that does not say for how long.
	lockout = 3 * time.Second
	// refusalMemory is how long refused credentials are not tried again: the token endpoint throttles.
	refusalMemory = 5 * time.Second

	// pageSize is how many devices a page of a list has; 1000 are the most.
	pageSize = 1000
)

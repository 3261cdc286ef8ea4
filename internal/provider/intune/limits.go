package intune

import "time"

// The limits of this provider; package vendorhttp has those of every request.
const (
	// Intune allows an application 2,000 requests in 20 s in a tenant. The connector stays below two thirds of that, so that
	// what else uses the application has its share. No setting raises it.
	// https://learn.microsoft.com/en-us/graph/throttling-limits
	requestsPerSecond = 60
	burst             = 100
	// maxRequests is how many requests run at once.
	maxRequests = 10
	// lockout is how long nothing is asked after a 429 without Retry-After, which Intune leaves out at times.
	lockout = 2 * time.Second
	// permissionMemory: after a 403 (a permission is missing), a token of this age is replaced. A token has the permissions
	// that had consent when Entra issued it, so a new one may have more.
	permissionMemory = time.Minute

	// listPageSize is the largest that Graph allows for managed devices, and groupPageSize for groups.
	listPageSize  = 1000
	groupPageSize = 999
	// maxGroupPages bounds the groups of one device: a lookup has no time for more.
	maxGroupPages = 5
	// maxFile is how many bytes a certificate or a key may have.
	maxFile = 1 << 20
)

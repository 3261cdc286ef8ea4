package addigy

import "time"

// The limits that only Addigy needs; package vendorhttp has those of every request. No setting changes them: Addigy rejects a
// client that has sent more than 1,000 requests within 10 seconds for 24 hours, and that would be a day without certificates.
const (
	// requestRate is how many requests are sent in a second, lists included, and requestBurst how many of them at once: at most
	// 120 within 10 seconds, because other programs of the same tenant may use up a part of the limit.
	requestRate  = 10
	requestBurst = 20
	// maxRequests is how many requests run at once.
	maxRequests = 5
	// lockout is how long no request is sent after a 429, whatever its Retry-After says: more requests may make Addigy's day
	// longer.
	lockout = 10 * time.Minute

	// searchSize is how many records a search for one serial number may return. More than that are no enrollments of one device.
	searchSize = 10
	// listPageSize is the size of a page that Addigy's documentation names as the largest.
	listPageSize = 100
)

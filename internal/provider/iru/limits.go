package iru

import "time"

// The limits that only Iru needs; package vendorhttp has those of every request. A tenant has 10,000 requests an hour, which
// all its tokens and the vendor's MCP server share, and no answer says how many are left. No setting raises these limits.
const (
	// requestsPerSecond and requestsAtStart are 7,300 requests an hour at most: more than a quarter is left to others.
	requestsPerSecond = 2
	requestsAtStart   = 100
	// maxRequests is how many requests run at once. Iru names no limit; lists need two.
	maxRequests = 4
	// lockout is how long no request is sent after a 429 without Retry-After: the hour of the tenant may last longer, and who
	// goes on asking uses up what others need.
	lockout = time.Minute

	// pageSize is how many devices a page has; Iru allows no more.
	pageSize = 300
	// maxSearchPages is how many pages a search for one serial number may have. A whole serial number is contained in few.
	maxSearchPages = 3
)

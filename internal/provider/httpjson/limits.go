package httpjson

import "time"

// The limits of an inventory that answers over HTTP. docs/operation.md lists the time limits; a test compares.
const (
	// leastTimeout and mostTimeout bound limits.timeout, which is what one request may take.
	leastTimeout = 100 * time.Millisecond
	mostTimeout  = 9 * time.Second
)

const (
	standardBody = 4 << 20  // bytes of an answer
	mostBody     = 16 << 20 // that limits.body may allow
	mostAtOnce   = 64       // requests
	mostRate     = 1000     // requests a second

	maxTemplate = 4096 // characters of one template
	maxVars     = 64   // also of secrets and headers
	maxAuth     = 4    // kinds of credentials at once
	maxSteps    = 2    // requests behind the first
	maxItems    = 1000 // records that a lookup judges

	maxListed      = 2_000_000 // devices that a list may say it has
	leastForLists  = 2         // requests at once; one is for a page
	maxCertificate = 1 << 20   // bytes of a file with a certificate, key or CAs
)

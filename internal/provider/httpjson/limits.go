package httpjson

import "time"

// The limits of an inventory that answers over HTTP. docs/operation.md lists the time limits; a test compares.
const (
	// leastTimeout and mostTimeout bound limits.timeout, which is what one request may take.
	leastTimeout = 100 * time.Millisecond
	mostTimeout  = 9 * time.Second
	// pageTimeout is how long a fetch waits for one page, repetitions included.
	pageTimeout = 60 * time.Second
	// pagePause is the pause before a page is asked for again.
	pagePause = 2 * time.Second
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

	pageTries  = 3
	maxPages   = 100_000
	maxListed  = 2_000_000 // devices
	maxFetched = 1 << 30   // bytes of all pages

	maxCertificate = 1 << 20 // bytes of a file with a certificate, key or CAs
)

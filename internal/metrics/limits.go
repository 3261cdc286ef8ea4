package metrics

import "time"

// The limits of a scrape. docs/operation.md lists the time limits; a test compares.
const (
	// scrapeTimeout is how long the gathering of metrics may take: Prometheus gives up after 10 s by default.
	scrapeTimeout = 10 * time.Second
	// maxScrapes is how many scrapes run at once.
	maxScrapes = 4
)

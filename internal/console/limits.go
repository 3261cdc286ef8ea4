package console

import "time"

// The bounds and time limits of the console. docs/operation.md lists the time limits; a test compares.
const (
	// queryTimeout is how long the database has for one page.
	queryTimeout = 5 * time.Second
	// decideTimeout is how long "decide now" takes at most, as long as a webhook.
	decideTimeout = 9 * time.Second
	// decideEvery is the time in which one person may have decidesEach lookups, and all people together decidesAll: each may cost a
	// request of a vendor's quota.
	decideEvery = time.Minute
	decidesEach = 5
	decidesAll  = 30

	// maxSearch is the length of the longest text that is searched for, in bytes. No identifier is longer.
	maxSearch = 512
	// maxQuery and maxForm bound the parameters of a page and of a form, in bytes.
	maxQuery = 8 << 10
	maxForm  = 8 << 10

	// perPage is how many decisions, and devices, one page lists.
	perPage = 50
	// maxRows is how many rows a table of the overview has.
	maxRows = 20
	// maxCell is how much of a text a list shows, in characters; the page of the decision has all of it.
	maxCell = 120
	// maxMarks is how many marks one letter may have; Vietnamese has two.
	maxMarks = 4
)

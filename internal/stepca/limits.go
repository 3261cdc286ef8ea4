package stepca

import "time"

// askTimeout is how long all of step-ca's answers are awaited. docs/operation.md lists it; a test compares.
const askTimeout = 20 * time.Second

const (
	// pageSize is how many provisioners are asked for at a time: step-ca gives at most 100.
	pageSize = 100
	// maxPages bounds how many pages are read.
	maxPages = 50
	// maxPage bounds a page, in bytes: provisioners have templates and certificates of roots.
	maxPage = 16 << 20
	// maxCursor bounds the cursor of a page, in bytes: step-ca's has 40.
	maxCursor = 256
	// maxFindings bounds what is reported, in lines; the rest is counted.
	maxFindings = 100
	// maxShown bounds a name or an action in a line, in characters.
	maxShown = 64
)

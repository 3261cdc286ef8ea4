package snapshot

import "time"

// The time limits and bounds of copies. docs/operation.md lists them; a test compares.
const (
	leastEvery = time.Second
	mostEvery  = 24 * time.Hour
	// usualAge is how old a copy may be without a warning, and mostAge with one.
	usualAge = 24 * time.Hour
	mostAge  = 7 * 24 * time.Hour

	// everiesInAge is how many times every fits into max_age at least: one fetch may fail.
	everiesInAge = 2
	// longestDuration is what longer durations are taken for; it is beyond all bounds.
	longestDuration = 365 * 24 * time.Hour
)

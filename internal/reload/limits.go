package reload

import "time"

// The time limits of reloads. They are no part of step-ca's 10 s: a request never waits for a reload. docs/operation.md
// lists them; a test compares.
const (
	// quiet is how long a file must have stayed the same before it is read: before that, it may be half written.
	quiet = 200 * time.Millisecond
	// recheck is how often the files are looked at even when no change was reported: not every file system reports
	// changes, and a watch can be lost.
	recheck = time.Second
	// soon is how long reports of changes are collected, because they come in batches.
	soon = 50 * time.Millisecond
	// restless is how long files may change without being quiet until they are loaded before that is reported as a
	// failure.
	restless = time.Minute
	// retry is how often a load that failed is tried again with the same files: the cause may have been the system, or the
	// clock.
	retry = time.Minute
)

package audit

import "time"

// The limits of the log event and of the audit log. docs/operation.md lists the time limits; a test compares.
const (
	// stall is how long a write to the audit log may wait, for the reader of a pipe or a file system that hangs.
	// step-ca gives up after 10 s and the answer is due after 9 s: a second leaves enough time. A request that has
	// less time left waits only for that time, see Event.Left.
	stall = time.Second
	// longestLine is how far back the beginning of an unfinished last line is searched, in bytes. A line of ours is far
	// shorter: its longest parts have the limits below.
	longestLine = 1 << 20

	// maxFacts is how many bytes the facts of one line may have. A record that is larger, of a device in thousands of
	// groups, is left out.
	maxFacts = 256 << 10

	maxShown  = 256  // bytes of one value that a client or an inventory chose
	maxReason = 1024 // bytes of a reason, which may contain a longer error text

	// maxRequestID is how many characters of an X-Request-Id are kept. step-ca's own have 36.
	maxRequestID = 64
)

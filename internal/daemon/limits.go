package daemon

import "time"

// The limits of the daemon itself. Each package has its own limits in a file of this name. docs/operation.md lists the
// time limits of all of them; a test compares.
const (
	// checkTimeout is how long an answer of the inventory is awaited by check and at start. It is as long as step-ca
	// waits for a whole webhook call: an inventory that needs more cannot serve one.
	checkTimeout = 10 * time.Second
	// reloadTimeout is how long a reload that a signal asked for waits for files that are being written to. The
	// service manager counts the daemon as reloading for as long.
	reloadTimeout = 10 * time.Second
	// lastLines is how long the last lines of the log may take to be written. Requests have been answered by then.
	lastLines = time.Second
	// keeperEnd is how long the keepers of snapshots, and the work on the state database, may take to end, when the daemon shuts down.
	keeperEnd = time.Second
	// journalEnd is how long the last lines of the journal are awaited, when the daemon shuts down: journal.lastBatches, and what
	// the database needs to give up. With server.drainTimeout and lastLines it stays below the 20 s of the service manager.
	journalEnd = 3500 * time.Millisecond
	// reportAgain is when a line about a snapshot or a revocation list is logged again that says the same.
	reportAgain = time.Hour

	// headEvery is how often the head of the audit chain is logged.
	headEvery = time.Hour

	// noticeLeft is how much time a line of the audit log about a person may take.
	noticeLeft = 5 * time.Second

	// overdueEvery is how often it is looked whether a revocation list should have been replaced.
	overdueEvery = time.Minute

	// maxReports is how many lines about a snapshot are kept before there is a log, and compared with the next ones.
	maxReports = 64

	// healthConnections is how many connections the health listener holds.
	healthConnections = 64
	// apiConnections is how many connections the listener of API_ADDRESS holds.
	apiConnections = 256
	// doorConnections is how many connections the listener of DOOR_ADDRESS holds: a RADIUS server keeps one for each of its
	// threads, a web server a few.
	doorConnections = 512
	// consoleConnections is how many connections the listener of CONSOLE_ADDRESS holds: a browser opens up to six.
	consoleConnections = 128
	// reservedFiles is how many files the daemon needs beside the connections of callers: those of the health
	// listener, of the API's, of the doors' and of the console's, and those to the inventory and the state database, with logs, certificate and inventory
	// files and what watches them.
	reservedFiles = healthConnections + apiConnections + doorConnections + consoleConnections + 112

	// maxPerson bounds the name of a person in the log, in bytes.
	maxPerson = 160
	// maxMessage bounds the text of an error in /readyz, in bytes.
	maxMessage = 1024

	// rereads bounds how often files are read again because they named others than those whose state was noted.
	rereads = 3

	// ballastSize is how much garbage may gather, at least, before it is collected, in bytes.
	ballastSize = 32 << 20
)

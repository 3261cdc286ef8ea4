package sqlquery

import "time"

// The time limits and bounds of package sqlquery. docs/operation.md lists the time limits; a test compares.
const (
	// listTimeout is how long the answer to list_query may take.
	listTimeout = 10 * time.Minute
	// connectionAge is how long a connection is used: after a fail-over or a change of the password, new ones are opened.
	connectionAge = 5 * time.Minute
	// connectionIdle is how long a connection is kept that nobody uses.
	connectionIdle = time.Minute
	// busyTimeout is how long a lookup waits for a writer of a SQLite file.
	busyTimeout = time.Second

	// maxConnections is how many connections to the database are open. A list takes one of them.
	maxConnections = 5
	// maxRows is how many rows a lookup reads, and how many rows of a list are joined into one record.
	maxRows = 1000
	// maxAnswer is how many bytes of text the rows of a lookup may have together.
	maxAnswer = 4 << 20
	// maxValue is how many bytes one value may have in a SQLite file, and one row of PostgreSQL.
	maxValue = 8 << 20
	// maxQuery is how many bytes a query may have.
	maxQuery = 64 << 10
	// maxFile is how many bytes a file may have that the configuration names: a query, certificates, a key.
	maxFile = 1 << 20
	// attempts is how often a lookup is tried where the connection was lost, as a fail-over does.
	attempts = 2
)

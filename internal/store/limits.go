package store

import "time"

// The time limits and bounds of the state database. docs/operation.md lists the time limits; a test compares.
const (
	// operationTimeout is how long one operation may take: a database that hangs is a fault soon enough for step-ca's retry.
	operationTimeout = 2 * time.Second
	// connectTimeout is how long all servers of a STATE_URL together may take to accept a connection.
	connectTimeout = 2 * time.Second
	// migrationTimeout is how long a migration may take, with the wait for another replica that migrates.
	migrationTimeout = time.Minute
	// idleTransaction is when PostgreSQL itself ends a transaction whose connector has vanished, and frees what it has locked.
	idleTransaction = 10 * time.Second
	// connectionAge is how long a connection to PostgreSQL is used: after a fail-over, new ones are opened.
	connectionAge = 5 * time.Minute
	// connectionIdle is how long a connection to PostgreSQL is kept that nobody uses.
	connectionIdle = time.Minute

	// readyEvery is how often Run asks whether the database answers.
	readyEvery = 3 * time.Second
	// purgeEvery is how often Run deletes the tokens that are no longer kept.
	purgeEvery = time.Minute
	// purgePause is at least between two batches of them. It is as long as the batch before has taken where that is longer.
	purgePause = 50 * time.Millisecond

	// purgeBatch is how many tokens are deleted in one transaction, which redemptions in SQLite wait for.
	purgeBatch = 200
	// expireBatch is how many entries of the journal are deleted in one transaction, which others who write in SQLite wait for.
	expireBatch = 400
	// maxInserted is how many rows one statement inserts or asks for.
	maxInserted = 256
	// maxDeleted is how many devices one statement deletes.
	maxDeleted = 32
	// maxLine bounds the line and the rules of one entry, in bytes: both together are shorter than maxMessage.
	maxLine = 448 << 10
	// maxFoundBytes is about how much a search of the journal returns, in bytes.
	maxFoundBytes = 8 << 20
	// maxName and maxIdentifier bound what indexes of the journal have, in bytes, and maxRules the rules of one entry that are counted.
	maxName       = 256
	maxIdentifier = 512
	maxRules      = 256
	// maxBuckets and maxListed bound an overview.
	maxBuckets = 1000
	maxListed  = 200
	// maxPerson bounds the name of a person who is logged in, in bytes.
	maxPerson = 1024
	// maxConnections is how many connections to the database are open.
	maxConnections = 8
	// attempts is how often an operation is tried where the connection was lost, as a fail-over does.
	attempts = 2
	// maxURL bounds a STATE_URL, in bytes.
	maxURL = 4 << 10
	// maxRoots bounds what is read of a file with root certificates, in bytes.
	maxRoots = 1 << 20
	// maxMessage bounds what a PostgreSQL server sends at once, in bytes: a row is far shorter.
	maxMessage = 1 << 20
)

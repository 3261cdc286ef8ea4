package journal

import "time"

// The bounds and time limits of the journal. docs/operation.md lists the time limits; a test compares.
const (
	// maxWaiting and maxWaitingBytes bound what waits for the database.
	maxWaiting      = 65536
	maxWaitingBytes = 64 << 20
	// maxEvents is how many events wait to be encoded. More are encoded where they are recorded.
	maxEvents = 1024
	// entryBytes is what an entry takes beside its line and its rules: the shorter texts, and their headers.
	entryBytes = 512
	// maxBatch and maxBatchBytes bound what is written in one transaction, which redemptions of tokens in SQLite wait for.
	maxBatch      = 256
	maxBatchBytes = 1 << 20
	// gathering is how long the first line of a batch waits for others: a transaction costs as much as many lines.
	gathering = 100 * time.Millisecond
	// retryEvery is how long is waited after the database has not taken a batch.
	retryEvery = time.Second
	// maxRefusals is how often a batch is tried that the database answers and refuses. Then its lines are tried one by one.
	maxRefusals = 3
	// lossOver is how long nothing must have been lost until the number is logged.
	lossOver = 10 * time.Second
	// lastBatches is how long the daemon tries to write what waits when it shuts down; the rest is lost, and counted.
	lastBatches = 3 * time.Second

	// expireEvery is how often old entries are deleted.
	expireEvery = time.Minute
	// expirePause is at least between two batches of them. It is as long as the batch before has taken where that is longer.
	expirePause = 50 * time.Millisecond

	// maxReason bounds the reason of one rule, in bytes.
	maxReason = 1024

	// MaxFound is how many entries a search returns at most.
	MaxFound = 1000
)

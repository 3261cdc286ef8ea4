package journal

import "time"

// The bounds and time limits of the journal. docs/operation.md lists the time limits; a test compares.
const (
	// maxWaiting and maxWaitingBytes bound what waits for the database.
	maxWaiting      = 65536
	maxWaitingBytes = 64 << 20
	// maxBatch and maxBatchBytes bound what is written in one transaction, which redemptions of tokens in SQLite wait for.
	maxBatch      = 256
	maxBatchBytes = 1 << 20
	// retryEvery is how long is waited after the database has not taken a batch.
	retryEvery = time.Second
	// lastBatches is how long the daemon tries to write what waits when it shuts down; the rest is lost, and counted.
	lastBatches = 5 * time.Second

	// maxReason bounds the reason of one rule, in bytes.
	maxReason = 1024

	// MaxFound is how many entries a search returns at most.
	MaxFound = 1000
)

package journal

import "step-posture-connector/internal/audit"

// Bounds for tests.
const (
	MaxWaiting      = maxWaiting
	MaxWaitingBytes = maxWaitingBytes
	MaxBatch        = maxBatch
	MaxRefusals     = maxRefusals
	EntryBytes      = entryBytes
	Gathering       = gathering
	RetryEvery      = retryEvery
	LossOver        = lossOver
	LastBatches     = lastBatches
	ExpireEvery     = expireEvery
)

// Encode replaces how w makes entries.
func (w *Writer) Encode(encode func(*audit.Event) (Entry, error)) { w.encode = encode }

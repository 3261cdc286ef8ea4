package export

import "time"

// listTimeout is how long the lists of an inventory may take in all: a server that answers each page late must not keep an
// export running for ever. docs/operation.md lists it; a test compares.
const listTimeout = 6 * time.Hour

const (
	// maxRecords bounds what an inventory may list, as it bounds the fetch of a copy: a list that repeats its pages has no
	// end.
	maxRecords = 2_000_000
	// bufferSize is the size of the buffers of files, in bytes.
	bufferSize = 64 << 10
	// checkedEvery is after how many rows a copy of them notices that it was interrupted.
	checkedEvery = 1 << 10
)

package command

import "time"

// progressEvery is how often the line on a terminal changes at most. docs/operation.md lists it; a test compares.
const progressEvery = 200 * time.Millisecond

const (
	// atOnce is how many devices lookup asks about at the same time: vendors limit requests, and the daemon may be asking
	// beside it.
	atOnce = 4
	// maxEntry bounds an entry of a list of identifiers, in bytes. A row of a table may be long, a list without line breaks
	// is no list.
	maxEntry = 1 << 20
	// maxSample bounds a recorded answer, in bytes: as much as an inventory may answer.
	maxSample = 16 << 20
	// maxRoot bounds the file with the root of a CA, in bytes.
	maxRoot = 64 << 10
	// maxCertificate bounds the file of a certificate, in bytes.
	maxCertificate = 1 << 20
	// maxAttributes and maxValue bound what lookup shows people of a record: attributes, and characters of a text.
	maxAttributes = 100
	maxValue      = 256
	// progressWidth is as long as what stands in the line behind the name of an inventory, in characters.
	progressWidth = len(": 2000000 records listed")
)

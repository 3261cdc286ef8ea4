package auditchain

import "time"

// MaxSkew is how far the beginning of the certificate's validity may be from the time of the line, in both directions. step-ca sets
// it back by a minute, and asks for a signature right after the decision.
const MaxSkew = 15 * time.Minute

// The limits of verification.
const (
	// blockSize is how much of a file one worker verifies at a time, in bytes.
	blockSize = 1 << 20
	// longestLine is the longest line that is read, in bytes; no line of the audit log is near it. Of a longer one only its end is
	// looked for, so that a file without line ends, or one that unpacks to terabytes, needs no memory.
	longestLine = 4 << 20
	// maxNotes bounds the notes of a report; further ones are counted.
	maxNotes = 1000
	// maxFound bounds the lines that are kept for a proof because of their reference, and maxFoundByKey those because of the key alone.
	maxFound      = 1000
	maxFoundByKey = 100

	// maxCertificate bounds the file of a certificate, in bytes.
	maxCertificate = 1 << 20
	// maxDepth is how many elements of an extension are read within each other.
	maxDepth = 16
)

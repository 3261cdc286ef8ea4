package authority

// What is read and listed of files.
const (
	// maxPEM is the size of the largest file, in bytes.
	maxPEM = 1 << 20
	// maxCRL is the size of the largest file with revocation lists, in bytes: some 240,000 certificates in PEM. To parse one
	// takes many times its size of memory, for a moment.
	maxCRL = 16 << 20
	// maxListed is how many CAs or revocation lists a message lists.
	maxListed = 5
)

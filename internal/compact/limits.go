package compact

const (
	// chunkSize is the size of most pieces of memory that hold rows, in bytes. One slice for all of them would be
	// copied whenever it is full, and both copies would be in memory meanwhile.
	chunkSize = 1 << chunkBits
	chunkBits = 20
	// firstChunk is the size of the first piece, in bytes, for small inventories.
	firstChunk = 4 << 10
	// largeRow: a row of this length or longer, in bytes, gets a piece of its own. That wastes little of the last piece.
	largeRow = chunkSize / 4
	// firstSlots is the size of the smallest index, and slotBytes that of a slot, in bytes.
	firstSlots = 8
	slotBytes  = 8
	// maxKey is long enough for every identifier, in bytes, so that hashing one allocates nothing.
	maxKey = 256
)

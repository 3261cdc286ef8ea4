package file

// The limits of messages: an operator reads them.
const (
	// maxFaults is how many faults of a file are reported; the others are counted.
	maxFaults = 10
	// maxPlaces is how many places of one kind of warning are named.
	maxPlaces = 3
	// maxListed is how many column names are listed.
	maxListed = 10
)

// The sizes of reading. A file is never in memory as a whole.
const (
	// readBuffer is the buffer of the file, in bytes.
	readBuffer = 64 << 10
	// sniffed is how much of the beginning of a file is examined for another format, in bytes.
	sniffed = 512
	// manyBatches are in use at once while no request can arrive yet: reading and indexing run on two processors, and
	// neither waits for the other because of one slow device.
	manyBatches = 4
	// A batch is full with so many devices or so many bytes, whichever comes first: it fits into a processor's cache.
	batchDevices = 1 << 10
	batchBytes   = 1 << 16
)

// The sizes of an inventory in memory.
const (
	// chunkSize is the size of most pieces of memory that hold rows, in bytes. One slice for all of them would be
	// copied whenever it is full, and both copies would be in memory meanwhile.
	chunkSize = 1 << chunkBits
	chunkBits = 20
	// firstChunk is the size of the first piece, in bytes, for small inventories.
	firstChunk = 4 << 10
	// largeRow: a row of this length or longer, in bytes, gets a piece of its own. That wastes little of the last piece.
	largeRow = chunkSize / 4
	// firstSlots is the size of the smallest index.
	firstSlots = 8
	// shortRow is the least length of a device, in bytes, when memory is reserved: if the first devices are far
	// shorter than the others, the file's size overestimates their number.
	shortRow = 32
	// maxKey is long enough for every identifier, in bytes, so that hashing one allocates nothing.
	maxKey = 256
	// largeInventory: release returns the memory of an inventory of this size or larger, in bytes, to the system at once.
	largeInventory = 16 << 20
)

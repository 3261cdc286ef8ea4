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
	// shortRow is the least length of a device, in bytes, when memory is reserved: if the first devices are far
	// shorter than the others, the file's size overestimates their number.
	shortRow = 32
	// largeInventory: release returns the memory of an inventory of this size or larger, in bytes, to the system at once.
	largeInventory = 16 << 20
)

package replay

const (
	// maxLine is how long a line of the audit log may be, in bytes. The longest of ours has a quarter of it.
	maxLine = 1 << 20
	// maxBatch is how many bytes of lines are decided together by one goroutine.
	maxBatch = 256 << 10
	// maxBatchLines is how many lines there are in it: the outcome of an empty line takes far more memory than the line.
	maxBatchLines = 4096
	// maxDevices is how many devices a report lists: each takes memory until the end.
	maxDevices = 100_000
	// maxLacks is how many reasons are distinguished why lines are not replayable. Some name what is in the line.
	maxLacks = 100
	// maxName is how much of a name in a line is shown, in bytes.
	maxName = 64
	// maxPlaces is how many places of lines that cannot be read are named.
	maxPlaces = 10
)

package snapshot

import "time"

// The time limits and bounds of copies. docs/operation.md lists them; a test compares.
const (
	leastEvery = time.Second
	mostEvery  = 24 * time.Hour
	// usualAge is how old a copy may be without a warning, and mostAge with one.
	usualAge = 24 * time.Hour
	mostAge  = 7 * 24 * time.Hour

	// everiesInAge is how many times every fits into max_age at least: one fetch may fail.
	everiesInAge = 2

	// firstRetry is how long after a fetch that failed the next one is due; the time doubles with each, up to every.
	firstRetry = 30 * time.Second
	// shrunkRetry is when a list is fetched again that has suddenly less than half of its devices.
	shrunkRetry = time.Minute
	// shrinkBaseline is how many devices a copy has at least that a list is compared with.
	shrinkBaseline = 20
	// jitter is the part of every by which a fetch is due earlier or later, so that several do not stay in step.
	jitter = 0.1
	// longestPause is how long Run waits at most until it reads the clock again: a timer stands still while the machine
	// sleeps, and the clock does not.
	longestPause = 30 * time.Second

	// checkedRows is how many devices of a new copy are looked up before it is adopted.
	checkedRows = 20
	// checkPause is between two of these lookups; with a short every it is everies/checkedEvery.
	checkPause   = 250 * time.Millisecond
	checkedEvery = 50
	// checkLookup is how long one of them may take.
	checkLookup = 9 * time.Second
	// checkFaults is how many of them may fail one after another until the rest is left out.
	checkFaults = 3

	// maxRecords and maxBytes bound a copy.
	maxRecords = 2_000_000
	maxBytes   = 1 << 30
	// largeCopy is the size of a copy, in bytes, whose memory is returned to the system when it is replaced.
	largeCopy = 32 << 20
	// maxTexts and maxTextBytes bound the texts of a copy that repeat, and seenTexts is how many are remembered until they
	// come again. One that is shorter than leastNumbered, in bytes, gets no number: that would not be shorter.
	maxTexts      = 1 << 16
	maxTextBytes  = 16 << 20
	seenTexts     = 1 << 17
	leastNumbered = 2
	// stringHeader is what a string costs besides its text, in bytes.
	stringHeader = 16
	// maxHidden is how many devices of a list can be hidden; with more the copy stops answering.
	maxHidden = 100_000
	// maxGone is how many devices are remembered that went during a fetch. Beyond, they are allowed until the next one, as
	// the bound of max_age has it.
	maxGone = 10_000
	// rewriteEvery is the time between two writings of the file at least, where devices were hidden, and rewriteShare how
	// many times longer than the writing it is.
	rewriteEvery = time.Minute
	rewriteShare = 20
	// maxFileBytes bounds the file, and writeBuffer is what is written or read of it at once, in bytes.
	maxFileBytes = 8 << 30
	writeBuffer  = 64 << 10
	// maxToken bounds one text of the file, or the data of a device, in bytes: the decoder holds it in memory.
	maxToken = 16 << 20
	// reportEvery is the time between two lines of the log about the same fault of the same list.
	reportEvery = time.Minute
	// maxReports is how many lines wait at most.
	maxReports = 100
)

package expression

// The bounds of expressions and of the JSON that they read.
const (
	maxExpression = 4096 // characters of one expression
	parserDepth   = 250  // levels of CEL's grammar
	maxCost       = 100_000
	// interruptEvery is after how many steps of a loop an evaluation asks whether somebody still waits for it.
	interruptEvery = 100
	// maxDepth is how many lists and objects may be in each other in an answer.
	maxDepth = 100
	// maxText is how many bytes of text replace() and join() make.
	maxText = 1 << 20
	// maxDistinct is how many elements distinct() compares.
	maxDistinct = 2000
	// maxResult is how many values the result of an expression has.
	maxResult = 2_000_000
	// maxWords is how many parts words() makes of a text.
	maxWords = 10_000
)

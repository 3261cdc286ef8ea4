package daemon

// newBallast makes memory that is never used, and never even given to the process by the system. Go lets
// as much garbage gather as there is memory in use: with a small inventory it would collect every 4 MiB,
// which is some hundred requests, and all of them would pay for it. To raise GOGC instead would
// multiply what many connections need for a moment.
func newBallast() []byte { return make([]byte, ballastSize) }

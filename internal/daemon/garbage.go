package daemon

// newBallast makes memory that is never used, so that the system never gives it to the process. Go collects garbage
// when it is as large as the memory in use: with a small inventory that is every 4 MiB, or a few hundred requests,
// and all requests pay for it. The ballast makes it every 32 MiB at least. debug.SetGCPercent would say that in one line,
// but as a factor: it would also multiply the memory that many connections need for a moment. debug.SetMemoryLimit
// collects more often near a limit, and never less often.
func newBallast() []byte { return make([]byte, ballastSize) }

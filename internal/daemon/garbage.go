package daemon

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// spare is how much garbage may gather before it is collected, in bytes. With a small inventory Go
	// would collect every 4 MiB, which is some hundred requests, and all of them would pay for it.
	spare = 32 << 20

	goDefault = 100     // GOGC, in percent of what is in use, where nobody has set it
	goLeast   = 4 << 20 // the heap, in bytes, below which Go does not collect at goDefault
)

// garbage is how garbage is collected.
type garbage struct {
	percent int // what was set last
}

// collectLater lets garbage gather up to spare, or, with a large inventory, up to the size of what is in
// use, as Go does it by default. Call it again when the inventory has changed.
func (g *garbage) collectLater() {
	if before := debug.SetGCPercent(goDefault); before != goDefault && before != g.percent {
		debug.SetGCPercent(before) // by GOGC: the operator knows better
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	inUse := int(live[0].Value.Uint64()) //nolint:gosec // G115: no heap is that large
	g.percent = max(goDefault, spare*goDefault/max(inUse, goLeast))
	debug.SetGCPercent(g.percent)
}

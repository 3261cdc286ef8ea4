package snapshot

import "time"

// systemClock is the clock of the machine.
type systemClock struct{ start time.Time }

// Wall implements Clock. The monotonic reading that time.Now adds is removed: it stands still while the machine sleeps, and
// differences would be measured with it.
func (systemClock) Wall() time.Time { return time.Now().Round(0) }

// Boot implements Clock.
func (c systemClock) Boot() time.Duration { return bootTime(c.start) }

// moment is one time on both clocks.
type moment struct {
	wall time.Time
	boot time.Duration
}

func read(c Clock) moment { return moment{c.Wall(), c.Boot()} }

// since is how much later m is than before: the larger of what both clocks say, so that neither a wall clock that was set
// back nor a boot clock that starts at zero again makes anything younger.
func (m moment) since(before moment) time.Duration {
	return max(m.wall.Sub(before.wall), m.boot-before.boot)
}

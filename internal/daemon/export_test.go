package daemon

import "time"

// SetClock replaces the clock.
func (d *Daemon) SetClock(now func() time.Time) { d.now = now }

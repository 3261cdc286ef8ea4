package daemon

import "time"

// SetClock replaces the clock.
func (d *Daemon) SetClock(now func() time.Time) { d.now = now }

// Vocabulary is what the connector knows of names.
var Vocabulary = vocabulary

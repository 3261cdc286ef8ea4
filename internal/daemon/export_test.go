package daemon

import (
	"time"

	"step-posture-connector/internal/config"
)

// SetClock replaces the clock.
func (d *Daemon) SetClock(now func() time.Time) { d.now = now }

// Vocabulary is what the connector knows of names.
func Vocabulary() config.Vocabulary { return vocabulary() }

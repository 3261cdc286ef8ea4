package daemon

import (
	"time"

	"step-posture-connector/internal/config"
)

// BindAdvice says what to do about a port that cannot be opened.
func BindAdvice(err error) string { return bindAdvice(err, "otherwise") }

// SetClock replaces the clock.
func (d *Daemon) SetClock(now func() time.Time) { d.now = now }

// Vocabulary has the names that the connector knows.
func Vocabulary() config.Vocabulary { return vocabulary() }

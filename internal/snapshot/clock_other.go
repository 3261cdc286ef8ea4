//go:build !linux

package snapshot

import "time"

// bootTime is a stand-in: the time since start, without sleep. The wall clock is the other half of an age, and has sleep.
func bootTime(start time.Time) time.Duration { return time.Since(start) }

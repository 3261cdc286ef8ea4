package snapshot

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime reads CLOCK_BOOTTIME (clock_gettime(2)). Linux has it since 2.6.39; without it the program could not know how old
// a copy is, and must not guess.
func bootTime(time.Time) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic("the kernel has no CLOCK_BOOTTIME")
	}
	return time.Duration(now.Nano())
}

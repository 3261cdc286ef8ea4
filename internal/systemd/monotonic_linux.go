package systemd

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic reads the clock that systemd compares with.
func monotonic() (time.Duration, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return time.Duration(now.Nano()), nil
}

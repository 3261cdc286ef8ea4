//go:build !linux

package systemd

import "time"

// monotonic is not needed: systemd exists on Linux only.
func monotonic() (time.Duration, error) { return 0, nil }

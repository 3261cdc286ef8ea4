// Package systemd tells the service manager how the daemon fares, in the way of sd_notify(3). Where
// nobody wants to know, nothing happens.
package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready says that the daemon answers, or that it has finished reloading.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping says that the daemon is ending.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Reloading says that the daemon loads its files anew; Ready says when that is done.
func Reloading() error {
	now, err := monotonic()
	if err != nil {
		return err
	}
	return notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Microseconds()))
}

// Watch tells the watchdog, where there is one, that the process runs, until ctx is done.
func Watch(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 2) //nolint:mnd // as sd_watchdog_enabled(3) recommends
	defer ticker.Stop()
	for {
		_ = notify(daemon.SdNotifyWatchdog) // it will be missed
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

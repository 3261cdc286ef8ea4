// Package systemd reports the daemon's state to the service manager, in the way of sd_notify(3). Where there is
// none, nothing happens.
package systemd

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready says that the daemon answers, or that it has finished reloading.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping says that the daemon is ending.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Reloading says that the daemon reloads its files; Ready says when that is done.
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
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) // may wait: nothing else does for it
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func notify(state string) error {
	sent := make(chan error, 1)
	go func() {
		_, err := daemon.SdNotify(false, state)
		sent <- err
	}()
	select {
	case err := <-sent:
		if err != nil {
			return fmt.Errorf("notify the service manager: %w", err)
		}
		return nil
	case <-time.After(notifyTimeout):
		return fmt.Errorf("notify the service manager: %w: it does not read its socket", os.ErrDeadlineExceeded)
	}
}

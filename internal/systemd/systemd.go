// Package systemd reports the daemon's state to the service manager with sd_notify(3). Without a service manager, it does
// nothing.
package systemd

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready reports that the daemon answers, or that it has finished reloading.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping reports that the daemon is shutting down.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

// Reloading reports that the daemon reloads its files; Ready reports when that is done.
func Reloading() error {
	now, err := monotonic()
	if err != nil {
		return err
	}
	return notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Microseconds()))
}

// Watch keeps notifying the watchdog, if the service has one, until ctx is done.
func Watch(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog) // it may block: nothing waits for this goroutine
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

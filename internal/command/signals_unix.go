//go:build unix

package command

import (
	"os"
	"os/signal"
	"syscall"
)

// ignoreFatalSignals turns SIGPIPE (the reader of the log is gone) and SIGXFSZ (the audit log has reached the
// file size limit) into errors of the write, so that neither kills the daemon. Each SIGHUP requests a reload.
func ignoreFatalSignals() (reloads <-chan os.Signal) {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ)
	requested := make(chan os.Signal, 1)
	signal.Notify(requested, syscall.SIGHUP)
	return requested
}

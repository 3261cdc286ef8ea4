//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// settle makes the process a daemon. What would end it, and with it all decisions, is only an error to
// whoever writes: that nobody reads the log any more, and that the audit log is as large as it may
// become. SIGHUP asks for something.
func settle() (hangups <-chan os.Signal) {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGXFSZ)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	return asked
}

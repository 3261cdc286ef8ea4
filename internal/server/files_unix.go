//go:build unix

package server

import (
	"math"
	"syscall"
)

// openFiles is how many files the process may have open, sockets included; 0 means unknown. The Go
// runtime raises the soft limit to the hard one when the process starts.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}

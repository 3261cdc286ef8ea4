//go:build unix

package server

import "syscall"

// openFiles is how many files the process may have open, sockets included; 0 means unknown. The Go
// runtime raises the soft limit to the hard one when the process starts.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // signed on some systems
}

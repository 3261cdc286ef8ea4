//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var errLocked = errors.New("another daemon uses it; give each daemon a file of its own, or PostgreSQL to several")

// lockFile locks a file for this process. The lock ends with the process, also where that is killed. It is not on the database
// itself: closing any descriptor of that would drop the locks of SQLite.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, ownerOnly)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, err
}

// mayWrite asks whether this user may read and write a file.
func mayWrite(path string) error { return unix.Access(path, unix.R_OK|unix.W_OK) }

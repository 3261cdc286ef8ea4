//go:build unix

package audit

import (
	"errors"
	"os"
	"syscall"

	"step-posture-connector/internal/filesys"
)

var errLocked = errors.New("another daemon writes to it; give each daemon an audit log of its own")

// lockFile locks the file for this process, until it is closed. The lock is on the file itself, and so moves with it.
func lockFile(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor fits into an int
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	if err != nil {
		return filesys.WithoutPath(os.NewSyscallError("lock", err))
	}
	return nil
}

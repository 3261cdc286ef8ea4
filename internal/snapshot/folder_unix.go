//go:build unix

package snapshot

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// checkOwner refuses what others may write, and what belongs to another user: an owner may change the permissions.
func checkOwner(info fs.FileInfo) error {
	const othersWrite = 0o022
	if info.Mode().Perm()&othersWrite != 0 {
		return errOthers
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int64(stat.Uid) != int64(os.Geteuid()) {
		return errors.New("it belongs to another user")
	}
	return nil
}

// syncFolder makes the new name of a file outlive a crash of the machine.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

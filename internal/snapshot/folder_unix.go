//go:build unix

package snapshot

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// userOf is the user whose files are used: the one of this process. Root, who asks by hand what the daemon answers, takes the
// owner of the folder for the daemon's user.
func userOf(folder fs.FileInfo, byHand bool, me int) int64 {
	if stat, ok := folder.Sys().(*syscall.Stat_t); ok && byHand && me == 0 {
		return int64(stat.Uid)
	}
	return int64(me)
}

// checkOwner refuses what others may write, and what belongs neither to a user nor to root: an owner may change the
// permissions.
func checkOwner(info fs.FileInfo, user int64) error {
	const othersWrite = 0o022
	if info.Mode().Perm()&othersWrite != 0 {
		return errOthers
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int64(stat.Uid) != user {
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

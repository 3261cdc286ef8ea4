package snapshot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"step-posture-connector/internal/filesys"
)

const (
	ownerOnly = 0o600
	temporary = ".tmp"
)

var (
	errOthers = errors.New("others than its owner may write it")
	// errNoFolder is no fs.ErrNotExist: a file that is missing is normal before the first fetch, and its folder is not.
	errNoFolder = errors.New("its folder is missing")
	errShared   = errors.New("another process writes it too; accepted: a file of its own for each daemon")
)

// openOwn opens a file that nobody else than a user may write. A symbolic link is refused: what it leads to is not in the folder that
// was checked.
func openOwn(path string, user int64) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := filesys.Open(path)
	if err != nil {
		return nil, err
	}
	opened, err := file.Stat()
	if err == nil && !os.SameFile(info, opened) {
		err = errors.New("it was replaced meanwhile")
	}
	if err == nil {
		err = checkOwner(opened, user)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// checkFolder refuses a folder in which others could replace the file. It returns the user whose file it may be, besides
// root.
func checkFolder(path string, byHand bool) (user int64, err error) {
	info, err := os.Stat(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNoFolder
	}
	if err != nil {
		return 0, fmt.Errorf("its folder: %w", err)
	}
	user = userOf(info, byHand, os.Geteuid())
	if err := checkOwner(info, user); err != nil {
		return 0, fmt.Errorf("its folder: %w", err)
	}
	return user, nil
}

// replaceFile writes a file that nobody else may read, and replaces the one before when it is complete and on the disk.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	if _, err := checkFolder(path, false); err != nil {
		return filesys.WithoutPath(err)
	}
	name := path + temporary
	// One that a process has left which ended while it wrote.
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return filesys.WithoutPath(err)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, ownerOnly)
	if err != nil {
		return filesys.WithoutPath(err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(name)
			err = filesys.WithoutPath(err)
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	written, err := file.Stat()
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	// Another daemon with the same file removes what it takes for a leftover. Its own file, half written, has this name then.
	if now, err := os.Lstat(name); err != nil || !os.SameFile(now, written) {
		return errShared
	}
	if err := os.Rename(name, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

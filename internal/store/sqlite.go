package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	sqlitedriver "modernc.org/sqlite"

	"step-posture-connector/internal/filesys"
)

const (
	ownerOnly  = 0o600
	lockSuffix = ".lock"
)

// Errors of OpenCommand about a database that no daemon has used yet.
var (
	ErrMissing  = errors.New("it does not exist; start the daemon once")
	ErrNoTables = errors.New(string(noTable))
)

// resolve returns the path without symbolic links, so that a file has one lock by all of its paths. The file may be missing.
func resolve(path string) (string, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if errors.Is(err, fs.ErrNotExist) {
			return "", errors.New("its folder does not exist")
		}
		if err != nil {
			return "", fmt.Errorf("its folder: %w", filesys.Cause(err))
		}
		return filepath.Join(folder, filepath.Base(path)), nil
	case err != nil:
		return "", fmt.Errorf("its folder: %w", filesys.Cause(err))
	}
	target, err := filepath.EvalSymlinks(path)
	if err == nil {
		info, err = os.Stat(target)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("it is a symbolic link to a file that does not exist")
	case err != nil:
		return "", filesys.WithoutPath(err)
	case info.IsDir():
		return "", errors.New("it is a folder, want a file")
	case !info.Mode().IsRegular():
		return "", errors.New("it is a pipe or a device, want a file")
	}
	return target, nil
}

// prepareFile locks the file for this daemon, and creates it where it is missing. SQLite would create it for others to read.
func prepareFile(path string) (lock *os.File, err error) {
	if err := wantWritable(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if lock, err = lockFile(path + lockSuffix); err != nil {
		return nil, filesys.WithoutPath(err)
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
			err = filesys.WithoutPath(err)
		}
	}()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, ownerOnly)
	if err == nil {
		return lock, file.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return lock, nil
}

// protectFile takes the file from everybody but its owner.
func protectFile(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm", path + lockSuffix} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&^ownerOnly == 0 {
			continue
		}
		if err := os.Chmod(name, ownerOnly); err != nil {
			return fmt.Errorf("others may read it: %w", filesys.Cause(err))
		}
	}
	return nil
}

// wantWritable: SQLite keeps files beside the database.
func wantWritable(folder string) error {
	file, err := os.CreateTemp(folder, ".step-posture-connector-*")
	if err != nil {
		return fmt.Errorf("its folder cannot be written to: %w", filesys.Cause(err))
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// sqliteConnector opens a file that exists. A transaction that writes begins as one that writes: otherwise two could read, and
// neither write.
func sqliteConnector(path string, daemon bool) (driver.Connector, error) {
	query := url.Values{
		"mode": {"rw"}, "_txlock": {"immediate"}, "_dqs": {"0"}, "_defensive": {"1"},
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", operationTimeout.Milliseconds()), "synchronous(FULL)", "trusted_schema(0)"},
	}
	if daemon {
		// The file keeps this. A command finds it so, and changes nothing.
		query.Add("_pragma", "journal_mode(WAL)")
	}
	uri := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	return sqlitedriver.NewConnector(uri.String())
}

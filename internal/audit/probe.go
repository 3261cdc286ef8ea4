package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Probe finds out whether OpenTrail could open path, and leaves nothing behind: a file that one user's check has created
// could not be written to by the daemon of another user. An empty path means no audit log.
// With a chain, anything but a regular file is refused.
func Probe(path string, chained bool) error {
	if path == "" {
		return nil
	}
	if chained {
		if err := refuseIrregular(path); err != nil {
			return err
		}
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		// To open and close it would be the end of the file for its reader, which would be gone when the daemon
		// writes.
		return nil
	}
	file, err := os.OpenFile(path, appending, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// OpenTrail would create it, if its folder exists and is writable.
		file, err = os.CreateTemp(filepath.Dir(path), ".probe-*")
		if err == nil {
			defer os.Remove(file.Name())
		}
	}
	if err != nil {
		return cannotOpen(path, err)
	}
	_ = file.Close()
	return nil
}

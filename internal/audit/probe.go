package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Probe finds out whether OpenTrail could open path, and leaves nothing behind: a file that the
// commands of one user had made could not be written to by the daemon of another. An empty path means that there is no audit log.
func Probe(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		// Opened and closed it would tell its reader that this is all, and the reader would be gone
		// when the daemon wants to write.
		return nil
	}
	file, err := os.OpenFile(path, appending, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// It would be made; only its folder must be there, and open to us.
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

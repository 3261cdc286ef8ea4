package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Folder is a folder of a server that runs as User. Only that user, and root, may read it.
type Folder struct{ path string }

// NewFolder makes an empty folder, which is there until Remove. It is no folder of the test: the server's user may not
// pass through that.
func NewFolder(name string) (Folder, error) {
	path, err := os.MkdirTemp("", "step-posture-"+name+"-")
	if err != nil {
		return Folder{}, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	if err := Own(path); err != nil {
		return Folder{}, errors.Join(fmt.Errorf("give the folder to the user of %s: %w", name, err), os.Remove(path))
	}
	return Folder{path}, nil
}

// Path is the path of a file in the folder, or that of the folder.
func (f Folder) Path(names ...string) string {
	return filepath.Join(append([]string{f.path}, names...)...)
}

// Make makes a folder in the folder.
func (f Folder) Make(name string) error {
	if err := os.Mkdir(f.Path(name), 0o700); err != nil {
		return fmt.Errorf("make a server's folder: %w", err)
	}
	return Own(f.Path(name))
}

// Write writes a file.
func (f Folder) Write(name string, data []byte) error {
	if err := os.WriteFile(f.Path(name), data, 0o600); err != nil {
		return fmt.Errorf("write a server's file: %w", err)
	}
	return Own(f.Path(name))
}

// Copy writes a file that has the contents of others, one after the other.
func (f Folder) Copy(name string, from ...string) error {
	var all []byte
	for _, path := range from {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read a server's file: %w", err)
		}
		all = append(all, data...)
	}
	return f.Write(name, all)
}

// Remove removes the folder and everything in it.
func (f Folder) Remove() error { return os.RemoveAll(f.path) }

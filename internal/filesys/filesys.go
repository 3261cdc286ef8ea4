// Package filesys opens files, and says what is wrong with one without its path: most messages name the variable and the
// path already.
package filesys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

var errNotFile = errors.New("it is a pipe or a device, not a file")

// Open is os.Open, except that it refuses pipes, sockets and devices: opening a pipe waits for a writer, and would stop
// every later reload; a device may never end.
func Open(path string) (*os.File, error) {
	const special = fs.ModeNamedPipe | fs.ModeSocket | fs.ModeDevice
	if info, err := os.Stat(path); err == nil && info.Mode()&special != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotFile}
	}
	return os.Open(path)
}

// Cause returns what the operating system says, without the operation and its path. Other errors stay as they are.
func Cause(err error) error {
	_, cause := Split(err)
	return cause
}

// WithoutPath returns the operation and what the operating system says of it. Other errors stay as they are.
func WithoutPath(err error) error {
	operation, cause := Split(err)
	if operation == "" {
		return err
	}
	return fmt.Errorf("%s: %w", operation, cause)
}

// Split returns the operation, such as open, and what the operating system says of it. The operation of an error that
// has no path is empty.
func Split(err error) (operation string, cause error) {
	var inPath *fs.PathError
	var inLink *os.LinkError
	switch {
	case errors.As(err, &inPath):
		return inPath.Op, inPath.Err
	case errors.As(err, &inLink):
		return inLink.Op, inLink.Err
	}
	return "", err
}

package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// output is a file that appears when it is complete, or a stream.
type output struct {
	*bufio.Writer

	file *os.File // nil for a stream
	path string
}

// create prepares the file of an export, before an inventory is asked for long. Its mode is 0600: it says who has which
// device.
func create(path string, stdout io.Writer) (*output, error) {
	if path == "" {
		return &output{Writer: bufio.NewWriterSize(stdout, bufferSize)}, nil
	}
	// A rename would replace a link, and not the file that it leads to.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("it is no regular file")}
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if in := (*fs.PathError)(nil); errors.As(err, &in) {
		return nil, &fs.PathError{Op: "write", Path: path, Err: in.Err} // the name of the temporary file says nothing
	}
	if err != nil {
		return nil, err
	}
	return &output{bufio.NewWriterSize(file, bufferSize), file, path}, nil
}

// commit makes the file appear under its name. It is on the disk before: after a power failure there is the previous one or
// all of this one.
func (o *output) commit() error {
	err := o.Flush()
	if o.file == nil || err != nil {
		return err
	}
	if err := o.file.Sync(); err != nil {
		return err
	}
	if err := o.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(o.file.Name(), o.path); err != nil {
		return fmt.Errorf("replace the file: %w", err)
	}
	o.file = nil
	return nil
}

// discard removes a file that is not complete.
func (o *output) discard() {
	if o.file != nil {
		_ = o.file.Close()
		_ = os.Remove(o.file.Name())
	}
}

package filesys_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/filesys"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := filesys.Open(path)
	if err != nil {
		t.Fatalf("Open of a file: %v", err)
	}
	_ = file.Close()
	if _, err := filesys.Open(filepath.Join(path, "x")); err == nil {
		t.Error("Open of a missing file returns no error")
	}
	want := "open " + os.DevNull + ": it is a pipe or a device, not a file"
	if _, err := filesys.Open(os.DevNull); err == nil || err.Error() != want {
		t.Errorf("Open of a device: %v, want %s", err, want)
	}
}

func TestErrorsWithoutPath(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, missing := os.Open(filepath.Join(folder, "a"))
	link := os.Rename(filepath.Join(folder, "a"), filepath.Join(folder, "b"))
	for name, test := range map[string]struct {
		err                error
		cause, withoutPath string
	}{
		"a path":         {missing, fs.ErrNotExist.Error(), "open: "},
		"a wrapped path": {fmt.Errorf("inventory: %w", missing), fs.ErrNotExist.Error(), "open: "},
		"two paths":      {link, fs.ErrNotExist.Error(), "rename: "},
		"no path":        {errors.New("x"), "x", "x"},
	} {
		cause, short := filesys.Cause(test.err), filesys.WithoutPath(test.err)
		if errors.Is(test.err, fs.ErrNotExist) != errors.Is(cause, fs.ErrNotExist) || strings.Contains(cause.Error(), folder) {
			t.Errorf("Cause of %s = %v", name, cause)
		}
		if !strings.HasPrefix(short.Error(), test.withoutPath) || strings.Contains(short.Error(), folder) {
			t.Errorf("WithoutPath of %s = %v, want %s…", name, short, test.withoutPath)
		}
	}
}

//go:build linux

package audit_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
)

// A disk that is full is an error for each line, and no more than that.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	trail := openTrail(t, "/dev/full")
	for range 3 {
		if err := trail.Append(event()); err == nil || err.Error() != "write: no space left on device" {
			t.Errorf("Append = %v, want that no space is left", err)
		}
	}
}

func newPipe(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readPipe opens a pipe without waiting for its writer.
func readPipe(t *testing.T, path string) *os.File {
	t.Helper()
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	return reader
}

// A pipe without a reader and a socket are errors at once, which say what they are.
func TestWithoutAReader(t *testing.T) {
	t.Parallel()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = syscall.Close(pair[0]), syscall.Close(pair[1]) })
	pipe := newPipe(t)
	for name, path := range map[string]string{"pipe": pipe, "socket as standard output": fmt.Sprint("/proc/self/fd/", pair[0])} {
		_, _, err := audit.OpenTrail(path)
		if want := "no such device or address: it is a pipe without a reader, or a socket"; err == nil || err.Error() != want {
			t.Errorf("%s: OpenTrail = %v, want %s", name, err, want)
		}
	}
	// A reader that waits already would take the end of a probe for the end of the file.
	if err := audit.Probe(pipe, false); err != nil {
		t.Errorf("Probe has opened the pipe: %v", err)
	}
}

// The audit log can be /dev/stdout, a file or a pipe, whose content is kept.
func TestStandardOutput(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	for _, output := range []*os.File{file, writer} {
		trail := openTrail(t, fmt.Sprint("/proc/self/fd/", output.Fd()))
		for range 2 {
			if err := trail.Append(event()); err != nil {
				t.Error(err)
			}
			if cut, err := trail.Reopen(); cut != 0 || err != nil {
				t.Errorf("Reopen() = %d, %v", cut, err)
			}
		}
		_, _ = trail.Close(), output.Close()
	}
	got, err := io.ReadAll(reader)
	if want := content(t, path); string(got) != want || len(references(t, path)) != 2 || err != nil {
		t.Errorf("the pipe got %q (%v), the file has %q, want the same two lines", got, err, want)
	}
}

// A line without a reader is an error, and the next one is tried anyway.
func TestReaderComesBack(t *testing.T) {
	t.Parallel()
	path := newPipe(t)
	first := readPipe(t, path)
	trail := openTrail(t, path)
	_ = first.Close()
	if err := trail.Append(event()); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Append without a reader = %v, want %v", err, syscall.EPIPE)
	}
	second := readPipe(t, path)
	if err := trail.Append(event()); err != nil {
		t.Errorf("Append with a new reader = %v", err)
	}
	_ = trail.Close()
	if got, err := io.ReadAll(second); strings.Count(string(got), "\n") != 1 {
		t.Errorf("the new reader got %q (%v), want one line", got, err)
	}
}

// A stuck reader delays no request for long, and all of them at the same time. A line that was written in part spoils no
// other, even when the pipe is reopened.
func TestStuckReader(t *testing.T) {
	t.Parallel()
	path := newPipe(t)
	reader := readPipe(t, path)
	trail := openTrail(t, path)
	long := event()
	for range 1000 {
		long.Groups = append(long.Groups, strings.Repeat("g", 256))
	}
	if err := trail.Append(long); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Append of more than the pipe holds = %v, want a timeout", err)
	}
	stuck := make(chan error)
	const many = 100
	for range many {
		go func() { stuck <- trail.Append(event()) }()
	}
	patience := time.After(30 * time.Second) // one after the other they would take 100
	for range many {
		select {
		case err := <-stuck:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Append to a full pipe = %v, want a timeout", err)
			}
		case <-patience:
			t.Fatal("requests wait one after the other")
		}
	}
	if _, err := trail.Reopen(); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		text, err := io.ReadAll(reader)
		if err != nil {
			t.Error(err)
		}
		read <- string(text)
	}()
	for deadline := time.Now().Add(30 * time.Second); ; { // until the reader has made room
		err := trail.Append(event())
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	_ = trail.Close()
	part, rest, _ := strings.Cut(<-read, "\n")
	write(t, path+".rest", rest)
	if n := len(references(t, path+".rest")); n != 1 || !strings.HasSuffix(part, "g") {
		t.Errorf("an unfinished line that ends in %q is followed by %d lines, want 1", part[max(0, len(part)-9):], n)
	}
}

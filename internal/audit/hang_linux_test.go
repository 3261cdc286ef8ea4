package audit

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// hanging is a file whose writes hang until it is read from, and take no deadline: as a regular file does on
// a network file system without its server. (A pipe in blocking mode.)
func hanging(t *testing.T) (file, end *os.File) {
	t.Helper()
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	file, end = os.NewFile(uintptr(ends[1]), "hanging"), os.NewFile(uintptr(ends[0]), "end")
	if err := file.SetWriteDeadline(time.Now()); err == nil {
		t.Fatal("the file takes a deadline")
	}
	for filled := 0; filled < 1<<16; { // what a pipe holds
		n, err := file.Write(make([]byte, 4096))
		if err != nil {
			t.Fatal(err)
		}
		filled += n
	}
	return file, end
}

// A file system that hangs holds one request; all others, a reload and the end wait for a short time only, and
// everything goes on when it is back.
func TestFileSystemHangs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail, _, err := OpenTrail(path)
	if err != nil {
		t.Fatal(err)
	}
	regular := trail.file
	file, end := hanging(t)
	trail.file = file
	e := &Event{Reference: "7F3K9Q2M", Time: time.Now()}

	const many = 100
	ended := make(chan error)
	held := make(chan error)
	go func() { held <- trail.Append(e) }()
	for len(trail.lock) == 0 {
		time.Sleep(time.Millisecond)
	}
	for range many {
		go func() { ended <- trail.Append(e) }()
	}
	go func() { _, err := trail.Reopen(); ended <- err }()
	go func() { ended <- trail.Close() }()
	patience := time.After(30 * time.Second) // one after the other they would take 100
	for range many + 2 {
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want a timeout", err)
			}
		case <-patience:
			t.Fatal("a request waits for the file system")
		}
	}
	late := &Event{Reference: "7F3K9Q2N", Time: time.Now(), Left: time.Millisecond}
	begin := time.Now()
	if err := trail.Append(late); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) >= stall {
		t.Errorf("Append with a millisecond left = %v after %s, want a timeout at once", err, time.Since(begin))
	}
	_ = end.Close() // ends the write
	if err := <-held; !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the write that hung = %v, want %v", err, syscall.EPIPE)
	}
	trail.file = regular
	_ = file.Close()
	if err := trail.Append(e); err != nil {
		t.Errorf("Append when the file system is back = %v", err)
	}
	if err := trail.Close(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || len(text) == 0 || text[len(text)-1] != '\n' {
		t.Errorf("the file holds %q, %v, want the line", text, err)
	}
}

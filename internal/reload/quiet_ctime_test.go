//go:build linux || darwin

package reload

import (
	"errors"
	"os"
	"testing"
	"time"
)

// A program that touches only the inodes of the files, such as a backup that makes hard links, causes one
// reload and no more, valid or not. One that is replaced by content of the same size and
// time is reloaded each time.
func TestInodeTouched(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := folder + "/f"
	before := time.Now().Add(-time.Hour)
	write := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, before, before)); err != nil {
			t.Fatal(err)
		}
	}
	touch := func() {
		t.Helper()
		time.Sleep(50 * time.Millisecond) // ctime advances in steps of some milliseconds
		if err := errors.Join(os.Link(path, folder+"/link"), os.Remove(folder+"/link")); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	s := NewSet("it", path)
	loads, news := 0, 0
	var fault error
	s.SetLoad(func() (func(), error) { loads++; return func() {}, fault })
	l := NewLoop(func(string, error) { news++ }, s)
	look := func(what string, want int) {
		t.Helper()
		l.look()
		s.since = s.since.Add(-quiet)
		l.look()
		if loads != want || news != want {
			t.Fatalf("%s: %d loads, %d reports, want %d of each", what, loads, news, want)
		}
	}
	look("nothing has happened", 0)
	touch()
	look("touched for the first time", 1)
	for range 3 {
		touch()
		look("touched again", 1)
	}
	write("two")
	look("replaced by content of the same size and time", 2)
	touch()
	look("touched after that", 2)
	write("one")
	look("replaced again", 3)
	s.forced = true
	look("nothing has happened, and Reload was called", 4)
	touch()
	s.forced = true
	look("touched, and Reload was called", 5)
	touch()
	look("touched again", 5)
	write("three")
	look("replaced by content of another size", 6)
	write("seven")
	look("replaced by content of the same size and time", 7)
	fault = os.ErrInvalid
	write("eight")
	look("replaced by content that is refused", 8)
	touch()
	look("touched after it was refused", 8)
	fault = nil
	write("three")
	look("replaced by valid content", 9)
}

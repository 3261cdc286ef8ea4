package reload

import (
	"os"
	"testing"
	"time"
)

// A file that was just written to may be written to again: it is read when it has been quiet for 200 ms.
func TestQuiet(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	s := NewSet("it", path)
	loads := 0
	s.SetLoad(func() (func(), error) { loads++; return func() {}, nil })
	l := NewLoop(func(string, error) {}, s)
	look := func(what string, wantMotion bool, wantLoads int) {
		t.Helper()
		if motion := l.look(); motion != wantMotion || loads != wantLoads {
			t.Fatalf("%s: in motion %v, %d loads, want %v, %d", what, motion, loads, wantMotion, wantLoads)
		}
	}
	look("nothing has happened", false, 0)
	for _, text := range []string{"12", "123", "1234"} {
		write(text)
		look("it was just written", true, 0)
		s.since = s.since.Add(-quiet / 2)
	}
	s.since = s.since.Add(-quiet)
	look("it is quiet", false, 1)
	look("it was loaded", false, 1)
	s.forced = true
	look("it is quiet, and Reload was called", false, 2)
	write("12345")
	s.forced = true
	look("Reload was called while it is written", true, 2)
}

// A failed load is tried again after a while with the same files, because the cause may not be in them. The same failure is
// not reported again.
func TestRetry(t *testing.T) {
	t.Parallel()
	s := NewSet("it", t.TempDir())
	var fault error
	s.SetLoad(func() (func(), error) { return nil, fault })
	var news []error
	l := NewLoop(func(_ string, err error) { news = append(news, err) }, s)
	wantNews := func(what string, want int) {
		t.Helper()
		l.look()
		if len(news) != want {
			t.Fatalf("%s: %d reports, want %d", what, len(news), want)
		}
	}
	fault = os.ErrPermission
	s.forced = true
	wantNews("it fails", 1)
	wantNews("it failed just now", 1)
	s.tried = s.tried.Add(-retry)
	wantNews("it fails again in the same way", 1)
	if time.Since(s.tried) > retry {
		t.Error("it was not tried again")
	}
	fault = os.ErrDeadlineExceeded
	s.tried = s.tried.Add(-retry)
	wantNews("it fails in another way", 2)
	fault = nil
	s.tried = s.tried.Add(-retry)
	wantNews("it succeeds", 3)
	if news[2] != nil {
		t.Errorf("the success was reported as %v", news[2])
	}
	s.tried = s.tried.Add(-retry)
	wantNews("nothing is wrong any more", 3)
}

package reload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Files that are never quiet cannot be loaded. That is reported once, until they are loaded.
func TestRestless(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	s := NewSet("it", path)
	loads := 0
	s.SetLoad(func() (func(), error) { loads++; return func() {}, nil })
	var news []string
	l := NewLoop(func(_ string, err error) { news = append(news, fmt.Sprint(err)) }, s)
	for text := "x"; len(text) < 10; text += "x" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.look()
		if want := len(text) / 6; len(news) != want {
			t.Fatalf("after %d changes %q was reported, want %d failures", len(text), news, want)
		}
		s.since = time.Now().Add(time.Hour) // a slow machine must not make it quiet
		s.moving = s.moving.Add(-restless / 5)
	}
	s.since = time.Now().Add(-quiet)
	l.look()
	if loads != 1 || len(news) != 2 || !strings.Contains(news[0], path+": changing for 1m0s") || news[1] != "<nil>" {
		t.Errorf("it was loaded %d times, the reports are %q, want a failure and a success", loads, news)
	}
}

// Files that are quiet for long enough, but change each time while they are read, are restless too: the version in effect
// may be hours old, which must be reported.
func TestRestlessWhileRead(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	s := NewSet("it", path)
	text := ""
	s.SetLoad(func() (func(), error) {
		text += "x"
		return func() { t.Error("it was applied") }, os.WriteFile(path, []byte(text), 0o600)
	})
	var reported []string
	l := NewLoop(func(_ string, err error) { reported = append(reported, err.Error()) }, s)
	s.forced = true
	for range 10 {
		l.look()
		s.since = time.Now().Add(-quiet) // and nothing happens until it is read
		s.moving = s.moving.Add(-restless / 5)
	}
	if len(text) != 10 || len(reported) != 1 || !strings.Contains(reported[0], "changing for 1m0s") {
		t.Errorf("it was read %d times, the reports are %q, want a failure", len(text), reported)
	}
}

// The valid part of a refused load is not applied again with each retry: nothing has changed.
func TestPartIsAppliedOnce(t *testing.T) {
	t.Parallel()
	s := NewSet("it", t.TempDir())
	applied, reported := 0, 0
	s.SetLoad(func() (func(), error) { return func() { applied++ }, errors.New("half of it is bad") })
	l := NewLoop(func(string, error) { reported++ }, s)
	s.forced = true
	for range 3 {
		l.look()
		s.tried = s.tried.Add(-retry)
	}
	if applied != 1 || reported != 1 {
		t.Errorf("it was applied %d times and reported %d times, want once", applied, reported)
	}
	s.forced = true // by an operator
	l.look()
	if applied != 2 || reported != 2 {
		t.Errorf("after Reload, it was applied %d times and reported %d times, want twice", applied, reported)
	}
}

// Reload gives up on files that are not quiet by the end of its context, and names them.
func TestReloadGivesUp(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := folder + "/f"
	restlessFile, other := NewSet("restless", path), NewSet("other", folder+"/g")
	loads := make(chan string, 100)
	for _, s := range []*Set{restlessFile, other} {
		s.SetLoad(func() (func(), error) { loads <- s.name; return func() {}, nil })
	}
	l := NewLoop(func(string, error) {}, restlessFile, other)
	ctx, end := context.WithCancel(t.Context())
	writing, stop := context.WithCancel(ctx)
	defer end()
	go func() {
		for text := "x"; writing.Err() == nil; text += "x" {
			_ = os.WriteFile(path, []byte(text), 0o600)
			time.Sleep(time.Millisecond)
		}
	}()
	time.Sleep(20 * time.Millisecond)
	go l.Run(ctx)
	for deadline := time.Now().Add(time.Minute); ; {
		short, cancel := context.WithTimeout(ctx, quiet/2)
		err := l.Reload(short)
		cancel()
		if err != nil && strings.HasPrefix(err.Error(), "still being written to: restless: ") {
			break
		}
		if time.Now().After(deadline) { // not the first time on a slow machine
			t.Fatalf("Reload() = %v, want it to name the restless file", err)
		}
	}
	stop()
	for {
		select {
		case name := <-loads:
			if name == "restless" {
				return
			}
		case <-time.After(time.Minute):
			t.Fatal("it was not loaded when it became quiet")
		}
	}
}

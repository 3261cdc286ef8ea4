//go:build linux || darwin

package reload_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"

	"step-posture-connector/internal/reload"
)

// replaceUnseen gives a file new content of the same size and sets its modification time back, as
// rsync --inplace --times and cp -p do.
func replaceUnseen(t *testing.T, path, text string) {
	t.Helper()
	before, err := os.Stat(path)
	must(t, err)
	write(t, path, text)
	must(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
	after, err := os.Stat(path)
	must(t, err)
	if !os.SameFile(before, after) || before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) {
		t.Fatal("the replacement differs in more than its content")
	}
}

// Content of the same size and time in the same file is noticed, valid or not.
func TestSameSizeAndTime(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	write(t, path, "one")
	f, _ := follow(t, path)
	replaceUnseen(t, path, "two")
	f.await(t, "two", "")
	replaceUnseen(t, path, "six")
	f.await(t, "six", "|")
	replaceUnseen(t, path, "bad")
	f.await(t, "six", "||bad")
	replaceUnseen(t, path, "ten")
	f.await(t, "ten", "||bad|")
}

// The same while the file is read.
func TestSameSizeAndTimeWhileRead(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	write(t, path, "one")
	f := &file{path: path, held: "one"}
	set := reload.NewSet("it", path)
	var reads atomic.Int32
	set.SetLoad(func() (func(), error) {
		text, err := os.ReadFile(path)
		if reads.Add(1) == 1 {
			replaceUnseen(t, path, "six")
		}
		return func() { f.mu.Lock(); defer f.mu.Unlock(); f.held = string(text) }, err
	})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { reload.NewLoop(f.done, set).Run(ctx); close(ended) }()
	write(t, path, "two")
	f.await(t, "six", "")
	end()
	<-ended
}

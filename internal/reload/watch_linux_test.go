package reload

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// watches counts the files that the kernel watches for this process.
func watches(t *testing.T) int {
	t.Helper()
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, info := range infos {
		text, _ := os.ReadFile(info) // some are gone by now
		count += strings.Count(string(text), "inotify wd:")
	}
	return count
}

// A link that leads to a new file each day leaves no watch of the former files behind. Not parallel: it counts the watches
// of the whole process.
func TestWatchesAreGivenBack(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(folder, "current")
	w := newWatcher()
	defer w.close()
	sets := []*Set{NewSet("files", link)}
	before := watches(t)
	for i := range 20 {
		path := filepath.Join(folder, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(link)
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		w.follow(sets)
	}
	if more := watches(t) - before; more != 1 {
		t.Errorf("%d files are watched, want 1", more)
	}
}

// Sets that replace each other, as those of the generations of a policy file do, leave no watch behind.
func TestWatchesOfDroppedSetsAreGivenBack(t *testing.T) {
	folder := t.TempDir()
	w := newWatcher()
	defer w.close()
	stays := filepath.Join(folder, "stays")
	if err := os.WriteFile(stays, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept, before := NewSet("kept", stays), watches(t)
	for i := range 1000 {
		path := filepath.Join(folder, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.follow([]*Set{kept, NewSet("comes and goes", path)})
	}
	if more := watches(t) - before; more != 2 || len(w.followed) != 2 {
		t.Errorf("%d files are watched, and %d are noted, want 2", more, len(w.followed))
	}
}

// A set that the load of another one has dropped is not loaded any more: its failure would stay for ever.
func TestDroppedSetIsNotLoaded(t *testing.T) {
	t.Parallel()
	var loop *Loop
	first, dropped := NewSet("first"), NewSet("dropped")
	var done []string
	loop = NewLoop(func(name string, _ error) { done = append(done, name) }, first, dropped)
	first.SetLoad(func() (func(), error) { return func() { loop.Use(first) }, nil })
	dropped.SetLoad(func() (func(), error) { return nil, os.ErrNotExist })
	first.forced, dropped.forced = true, true
	loop.look()
	if strings.Join(done, " ") != "first" {
		t.Errorf("loaded %q, want the first only", done)
	}
}

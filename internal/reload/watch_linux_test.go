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

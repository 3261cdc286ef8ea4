package reload

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A log in the folder of the files, to which every request writes a line, must not wake the loop; a change of
// a file must, and again after it was replaced.
func TestWatchesFilesOnly(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, log := filepath.Join(folder, "server.crt"), filepath.Join(folder, "log")
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(time.Now().String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path)
	w := newWatcher()
	defer w.close()
	sets := []*Set{NewSet("files", path)}
	changed := func(what string) {
		t.Helper()
		select {
		case <-w.reported:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is not reported", what)
		}
	}
	w.follow(sets)
	write(path)
	changed("a write")
	write(path + ".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	changed("a replacement")
	w.follow(sets)
	write(path)
	changed("a write to the replacement")
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	changed("a rename")
	write(path)
	w.follow(sets)
	write(path)
	changed("a write to the new file")
	write(log)
	if watched := w.WatchList(); len(watched) != 1 || watched[0] != path {
		t.Errorf("watched are %q, want only %s", watched, path)
	}
}

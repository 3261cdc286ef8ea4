package snapshot

import (
	"os"
	"path/filepath"
	"testing"

	"step-posture-connector/internal/posture"
)

// TestPermissions: a file that others may write, or replace, is not used.
func TestPermissions(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, path string)
		want   string
	}{
		{"as it was written", func(*testing.T, string) {}, found},
		{"missing", func(t *testing.T, path string) { must(t, os.Remove(path)) }, live},
		{"the group may write it", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o620)) }, live},
		{"all may write it", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o602)) }, live},
		{"all may write the folder", func(t *testing.T, path string) { must(t, os.Chmod(filepath.Dir(path), 0o777)) }, live},
		{"a symbolic link", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".moved"))
			must(t, os.Symlink(path+".moved", path))
		}, live},
		{"a folder", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, live},
		{"empty", func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, live},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "folder")
			must(t, os.Mkdir(folder, 0o700))
			path := filepath.Join(folder, "copy.json")
			inBubble(t, func(t *testing.T) {
				inventory := newInventory("")
				inventory.put("", "A1")
				h := start(t, inventory, persisted(path))
				h.fetched()
				if info, err := os.Stat(path); err != nil || info.Mode() != ownerOnly {
					t.Fatalf("the file is %v, %v", info, err)
				}
				test.change(t, path)
				inventory.change(func(f *fakeInventory) { f.down = true })
				h.mu.Lock()
				h.reports = nil
				h.mu.Unlock()
				h.restart()
				h.want(test.name, "", map[string]string{"A1": test.want})
				if test.want == live && test.name != "missing" {
					h.wantReports(test.name, "the file is not used")
				}
			})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestOtherSettings: the file of another account is not used.
func TestOtherSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.json")
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory, persisted(path))
		h.fetched()
		for _, change := range []func(o *Options){
			func(o *Options) { o.Account = "another" }, func(o *Options) { o.Kind = "another" }, func(o *Options) { o.Inventory = "another" },
		} {
			o := h.options()
			change(&o)
			if k := New(o); k.Status()[0].Usable {
				t.Errorf("the file is used with %+v", o)
			}
		}
		if k := New(h.options()); !k.Status()[0].Usable {
			t.Error("the file is not used with the same settings")
		}
	})
}

// TestUnwritable: a file that cannot be written is an alarm, and the copy answers.
func TestUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "copy.json")
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory, persisted(path))
		h.fetched()
		h.want("without a file", "", map[string]string{"A1": found})
		h.wantReports("the folder is missing", "write the file: its folder is missing")
		h.wantReports("the folder is missing, at start", "the file is not used: its folder is missing")
	})
}

// TestUnwritableValues: what JSON cannot have is asked live after a restart.
func TestUnwritableValues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.json")
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1", "A2", "A3")
		inventory.records[""][1].Facts.Name = posture.Known("\xff")
		inventory.records[""][2].Facts.Groups = posture.Known([]string{"a", "\xff"})
		h := start(t, inventory, persisted(path))
		h.fetched()
		h.want("before", "", map[string]string{"A1": found, "A2": found, "A3": found})
		h.restart()
		h.want("after a restart", "", map[string]string{"A1": found, "A2": live, "A3": live})
	})
}

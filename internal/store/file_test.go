package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/store"
)

// TestFile: the file and those beside it are for its owner only, also where they were not before; it is written through.
func TestFile(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	path := b.url.Path()
	for range 2 {
		d := b.open(t)
		insert(t, d, wanted("C02XK1ABJHD2", ""))
		for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
			info, err := os.Stat(name)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		for setting, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
			if got, err := d.Setting(t.Context(), "PRAGMA "+setting); err != nil || got != want {
				t.Errorf("%s is %s, %v, want %s", setting, got, err, want)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for _, name := range []string{path, path + ".lock"} {
			if err := os.Chmod(name, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if names := listing(t, filepath.Dir(path)); names != "state.db state.db.lock " {
		t.Errorf("the folder has %q", names)
	}
}

// TestSecondDaemon: a second daemon on the same file ends, also by another path; a command beside the daemon works. When the daemon has
// ended another one may start.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	d := b.open(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(b.url.Path(), link); err != nil {
		t.Fatal(err)
	}
	for _, u := range []store.URL{b.url, parse(t, "sqlite:"+link)} {
		refuses(t, "a second daemon", store.OpenDaemon, u, "another daemon uses it")
		command, err := store.OpenCommand(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		inserted := insert(t, command, wanted("C02XK1ABJHD2", ""))
		if found, err := d.Find(t.Context(), inserted.Hash); err != nil || found.ID != inserted.ID {
			t.Errorf("the daemon finds %+v, %v", found, err)
		}
		if err := command.Close(); err != nil {
			t.Error(err)
		}
		refuses(t, "a second daemon", store.OpenDaemon, u, "another daemon uses it")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	b.open(t)
}

// TestFileThatGoes: what is written to a file that was removed is lost with the daemon, which reports it. A file that is locked for
// long is a fault, and no more when it is free.
func TestFileThatGoes(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	d := b.open(t)
	token := insert(t, d, wanted("C02XK1ABJHD2", ""))
	other := holding(t, b)
	begun := time.Now()
	_, err := d.Bind(t.Context(), token.Hash, keyOf(1), "C02XK1ABJHD2")
	wantFault(t, err, "the state database, sqlite:", token) // by the clock of the context, or that of SQLite
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("the fault took %v", took)
	}
	if found, err := d.Find(t.Context(), token.Hash); err != nil || found.State() != enroll.Live {
		t.Errorf("Find while another one writes = %+v, %v", found, err)
	}
	other()
	if bound := bind(t, d, token, keyOf(1)); bound.Key != keyOf(1) {
		t.Errorf("Bind = %+v", bound)
	}
	if err := os.Rename(b.url.Path(), b.url.Path()+".away"); err != nil {
		t.Fatal(err)
	}
	if err := d.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "removed or replaced") {
		t.Errorf("Ready without the file = %v", err)
	}
}

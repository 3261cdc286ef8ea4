//go:build unix

package snapshot

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// owned is the information about a file of a user.
type owned struct {
	fs.FileInfo

	user uint32
}

func (owned) Mode() fs.FileMode { return 0o600 }
func (o owned) Sys() any        { return &syscall.Stat_t{Uid: o.user} }

// TestOwners: the daemon uses files of its own user and of root only. Root, who asks by hand, takes the owner of the folder
// for the daemon's user, and no third one.
func TestOwners(t *testing.T) {
	const root, daemon, other = 0, 998, 1000
	for _, test := range []struct {
		name         string
		me           int
		byHand       bool
		folder, file uint32
		want         bool
	}{
		{"its own", daemon, false, daemon, daemon, true},
		{"of root", daemon, false, root, root, true},
		{"of another", daemon, false, daemon, other, false},
		{"in a folder of another", daemon, false, other, daemon, false},
		{"a daemon of root, its own", root, false, root, root, true},
		{"a daemon of root, of another", root, false, root, daemon, false},
		{"a daemon of root, in a folder of another", root, false, daemon, daemon, false},
		{"root by hand, of the daemon", root, true, daemon, daemon, true},
		{"root by hand, of a daemon of root", root, true, root, root, true},
		{"root by hand, of a third user", root, true, daemon, other, false},
		{"root by hand, of another in a folder of root", root, true, root, daemon, false},
		{"another by hand", other, true, daemon, daemon, false},
	} {
		folder, file := owned{user: test.folder}, owned{user: test.file}
		user := userOf(folder, test.byHand, test.me)
		if got := checkOwner(folder, user) == nil && checkOwner(file, user) == nil; got != test.want {
			t.Errorf("%s: used = %v, want %v", test.name, got, test.want)
		}
	}
}

// TestTwoWriters: of two processes that write the same file at once, none leaves half of it, and the one that has lost its
// file returns an error.
func TestTwoWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.json")
	text := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	var second error
	first := replaceFile(path, func(w io.Writer) error {
		second = replaceFile(path, func(w io.Writer) error {
			_, err := io.WriteString(w, "half of the second, ")
			return err
		})
		return text("the first")(w)
	})
	if second != nil || !errors.Is(first, errShared) {
		t.Errorf("the first returned %v, and the second, which ended before, %v", first, second)
	}
	second = replaceFile(path, func(io.Writer) error {
		if err := replaceFile(path, func(w io.Writer) error {
			// The one that began later has half of its file under the name.
			return text("whole")(w)
		}); err != nil {
			return err
		}
		half, err := os.OpenFile(path+temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, ownerOnly)
		if err != nil {
			return err
		}
		defer half.Close()
		return text("ha")(half)
	})
	if content, err := os.ReadFile(path); !errors.Is(second, errShared) || err != nil || string(content) != "whole" {
		t.Errorf("returned %v, and the file is %q, %v", second, content, err)
	}
}

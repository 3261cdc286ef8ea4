//go:build packages && linux

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of testdata in place of comparing them") //nolint:gochecknoglobals // A flag of the test.

const docsFolder = "/usr/share/doc/" + name

func asExit(err error, ended **exec.ExitError) bool { return errors.As(err, ended) }

// table has what each path of a system is: kind, mode, owner and group.
type table map[string]string

// notOurs are folders in which the system itself writes when a package comes or goes, or a service runs.
func notOurs(path string) bool {
	for _, folder := range []string{
		"/var/lib/dpkg", "/var/lib/apt", "/var/lib/rpm", "/var/cache", "/var/log/apt", "/var/log/dpkg.log", "/var/log/journal",
		"/var/lib/systemd", "/root", "/tmp", "/var/tmp", "/run", "/proc", "/sys", "/dev", "/etc/.pwd.lock", "/etc/.updated", "/var/.updated",
		// Copies that the tools keep of the lists of users and groups.
		"/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-", "/etc/.#",
	} {
		if strings.HasPrefix(path, folder) {
			return true
		}
	}
	return false
}

// files lists a whole system.
func (m *machine) files(t *testing.T) table {
	t.Helper()
	users, groups := names(t, m.root+"/etc/passwd"), names(t, m.root+"/etc/group")
	found := table{}
	err := filepath.WalkDir(m.root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside := "/" + strings.TrimPrefix(strings.TrimPrefix(path, m.root), "/")
		if notOurs(inside) {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s has no owner", path)
		}
		mode := fmt.Sprintf("%04o", info.Mode().Perm())
		if target, err := os.Readlink(path); err == nil {
			mode = "-> " + target
		} else if entry.IsDir() {
			inside = strings.TrimSuffix(inside, "/") + "/"
		}
		found[inside] = fmt.Sprintf("%s:%s %s", named(users, stat.Uid), named(groups, stat.Gid), mode)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// names reads the names of users or groups by their numbers.
func names(t *testing.T, path string) map[uint32]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[uint32]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(line, ":")
		if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			found[uint32(id)] = fields[0]
		}
	}
	return found
}

func named(all map[uint32]string, id uint32) string {
	const first, last = 61184, 65519 // what systemd gives to services with DynamicUser
	switch name, known := all[id]; {
	case known:
		return name
	case id >= first && id <= last:
		return "(service)"
	default:
		return strconv.FormatUint(uint64(id), 10)
	}
}

// since returns what is new or otherwise than before. Documents are many: all of them must be for everyone to read, and
// their folder stands for them.
func (now table) since(t *testing.T, before table) table {
	t.Helper()
	changed := table{}
	for path, is := range now {
		// SQLite makes and removes the last two as it needs them.
		if before[path] == is || strings.HasSuffix(path, ".db-wal") || strings.HasSuffix(path, ".db-shm") {
			continue
		}
		if strings.HasPrefix(path, docsFolder+"/docs/") && path != docsFolder+"/docs/" {
			want := "root:root 0644"
			if strings.HasSuffix(path, "/") {
				want = "root:root 0755"
			}
			if is != want {
				t.Errorf("%s is %s, want %s", path, is, want)
			}
			continue
		}
		changed[path] = is
	}
	for path, was := range before {
		if _, there := now[path]; !there {
			changed[path] = "is gone, was " + was
		}
	}
	return changed
}

func (now table) String() string {
	var text strings.Builder
	for _, path := range slices.Sorted(maps.Keys(now)) {
		fmt.Fprintf(&text, "%s %s\n", path, now[path])
	}
	return text.String()
}

// want compares a table with the one of testdata.
func (now table) want(t *testing.T, file string) {
	t.Helper()
	path := "internal/test/packages/testdata/" + file + ".txt"
	if *update {
		if err := os.WriteFile(path, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(now.String())) {
		t.Errorf("files, owners and modes are\n%s\n%s has\n%s", now, path, want)
	}
}

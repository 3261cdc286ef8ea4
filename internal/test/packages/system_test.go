//go:build packages && linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The clean system of the tests: the oldest Debian whose systemd the unit is rated with. rpm is in it to install the other
// kind of package in a system with systemd too; it has no packages of its own there.
const (
	suite    = "bookworm"
	mirror   = "http://deb.debian.org/debian"
	included = "systemd,ca-certificates,rpm"
)

const (
	bootstrapTime = 20 * time.Minute
	bootTime      = 2 * time.Minute
	stepTime      = 3 * time.Minute
)

//go:embed boot.sh
var boot string

// needTools wants the programs that these tests run.
func needTools(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("these tests make a Debian system and boot it: run them as root")
	}
	for _, tool := range []string{"debootstrap", "lintian", "rpm", "rpm2cpio", "cpio", "dpkg-deb", "mandoc", "unshare", "nsenter", "tar", "make", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Errorf("%v; make test-packages-tools installs it on Debian and Ubuntu", err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// host runs a program of this machine and returns what it prints on both streams.
func host(t *testing.T, limit time.Duration, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.WaitDelay = time.Second
	printed, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", c, err, printed)
	}
	return string(printed)
}

// cleanRoot unpacks a new system. It is made once, and kept in the user's cache.
func cleanRoot(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256([]byte(suite + mirror + included + runtime.GOARCH))
	kept := filepath.Join(cache, name, fmt.Sprintf("debian-%s-%x.tar", suite, key[:6]))
	if _, err := os.Stat(kept); err != nil {
		makeRoot(t, kept)
	}
	root := t.TempDir()
	host(t, stepTime, "tar", "--extract", "--numeric-owner", "--same-permissions", "--file", kept, "--directory", root)
	return root
}

func makeRoot(t *testing.T, kept string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		t.Fatal(err)
	}
	made := t.TempDir()
	host(t, bootstrapTime, "debootstrap", "--variant=minbase", "--include="+included, suite, made, mirror)
	// Nothing here may come from the network once it is made.
	for _, pattern := range []string{"var/cache/apt/archives/*.deb", "var/lib/apt/lists/*"} {
		paths, err := filepath.Glob(filepath.Join(made, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	host(t, stepTime, "tar", "--create", "--numeric-owner", "--one-file-system", "--file", kept+".part", "--directory", made, ".")
	if err := os.Rename(kept+".part", kept); err != nil {
		t.Fatal(err)
	}
}

// machine is a Debian system that has been booted with its own systemd.
type machine struct {
	root string
	pid  int // of its systemd, here
}

// start boots a clean system. It ends with the test.
func start(t *testing.T) *machine {
	t.Helper()
	root := cleanRoot(t)
	group, directory := controlGroup(t)
	console, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = console.Close() })
	c := exec.Command("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork", "--kill-child", "sh", "-c", boot, "boot", root) //nolint:noctx // It lives as long as the test.
	c.Stdout, c.Stderr = console, console
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd()), Setsid: true}
	if err := c.Start(); err != nil {
		t.Fatalf("start a system in a control group of its own: %v", err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		removeGroup(t, group)
	})
	m := &machine{root: root}
	within(t, bootTime, "the system boots", func() (string, bool) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", c.Process.Pid))
		if m.pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			log, _ := os.ReadFile(console.Name())
			return string(log), false
		}
		out, _ := m.try(t, "systemctl is-system-running")
		log, _ := os.ReadFile(console.Name())
		return out + string(log), strings.HasPrefix(out, "running") || strings.HasPrefix(out, "degraded")
	})
	return m
}

// controlGroup makes a group in the hierarchy of version 2, whose root the system gets.
func controlGroup(t *testing.T) (path string, directory *os.File) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); fields[2] == "cgroup2" {
			path, err := os.MkdirTemp(fields[1], name+"-test-") //nolint:usetesting // It is a control group.
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { removeGroup(t, path) })
			directory, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = directory.Close() })
			return path, directory
		}
	}
	t.Fatal("this machine has no control groups of version 2, which systemd needs to boot")
	return "", nil
}

// removeGroup removes a group with those in it, once the kernel has ended their processes.
func removeGroup(t *testing.T, path string) {
	t.Helper()
	within(t, time.Minute, "the processes of the system end", func() (string, bool) {
		var groups []string
		_ = filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for i := len(groups) - 1; i >= 0; i-- {
			_ = os.Remove(groups[i])
		}
		_, err := os.Stat(path)
		return path, os.IsNotExist(err)
	})
}

// within waits for a condition, which says what it has seen.
func within(t *testing.T, limit time.Duration, condition string, holds func() (string, bool)) {
	t.Helper()
	const pause = 100 * time.Millisecond
	for range limit / pause {
		if _, ok := holds(); ok {
			return
		}
		time.Sleep(pause)
	}
	seen, ok := holds()
	if !ok {
		t.Fatalf("not within %s: %s\n%s", limit, condition, seen)
	}
}

// try runs a script in the system as root, as an administrator would. No standard input answers a prompt.
func (m *machine) try(t *testing.T, script string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stepTime)
	defer cancel()
	c := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(m.pid), "--all", "sh", "-e", "-c", "cd /root\n"+script)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	c.WaitDelay = time.Second
	printed, err := c.CombinedOutput()
	return string(printed), err
}

func (m *machine) run(t *testing.T, script string) string {
	t.Helper()
	out, err := m.try(t, script)
	if err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return out
}

// status runs a script and returns how it has exited.
func (m *machine) status(t *testing.T, script string) (code int, out string) {
	t.Helper()
	out, err := m.try(t, script)
	if ended := (*exec.ExitError)(nil); err != nil {
		if !asExit(err, &ended) {
			t.Fatalf("%s: %v", script, err)
		}
		return ended.ExitCode(), out
	}
	return 0, out
}

func (m *machine) put(t *testing.T, path string, text []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.root, path), text, mode); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// copyIn copies a file of this machine into /root of the system.
func (m *machine) copyIn(t *testing.T, path string) string {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var whole bytes.Buffer
	if _, err := io.Copy(&whole, in); err != nil {
		t.Fatal(err)
	}
	m.put(t, "root/"+filepath.Base(path), whole.Bytes(), 0o644)
	return "./" + filepath.Base(path)
}

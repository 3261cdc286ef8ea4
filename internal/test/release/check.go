package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// checkLimit is for two releases, the second of which compiles everything four times.
const checkLimit = time.Hour

// checker checks a release. It prints what it does, and what cannot run here.
type checker struct {
	out     io.Writer
	environ []string
}

// check makes the release of the last commit twice, compares the files, and inspects them.
func (c checker) check(ctx context.Context, cold bool) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	scratch, err := os.MkdirTemp("", "release-check-")
	if err != nil {
		return err
	}
	defer func() { _ = removeAll(scratch) }()

	// What must not matter is different: the folder, the time zone, the language, the umask, settings of Go, and with
	// cold what was compiled before.
	first, second := filepath.Join(scratch, "a"), filepath.Join(scratch, "another folder's", "checkout")
	other := []string{"TZ=Pacific/Auckland", "LC_ALL=C", "GOAMD64=v3", "GOFLAGS=-tags=other", "TMPDIR=" + filepath.Join(scratch, "tmp")}
	if cold {
		other = append(other, "GOCACHE="+filepath.Join(scratch, "cache"))
	}
	if err := os.Mkdir(filepath.Join(scratch, "tmp"), 0o700); err != nil {
		return err
	}
	if err := c.build(ctx, first, "022", nil); err != nil {
		return err
	}
	if err := c.build(ctx, second, "077", other); err != nil {
		return err
	}
	dist := filepath.Join(first, "build/dist")
	if err := compare(dist, filepath.Join(second, "build/dist")); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "Both builds made the same files, byte by byte.")
	return c.inspect(ctx, dist)
}

// build makes the release in a clone.
func (c checker) build(ctx context.Context, clone, umask string, environ []string) error {
	fmt.Fprintf(c.out, "\nThe release of the last commit, in %s:\n", clone)
	if err := c.command(ctx, ".", nil, "git", "clone", "--quiet", "--no-hardlinks", ".", clone); err != nil {
		return err
	}
	return c.command(ctx, clone, environ, "sh", "-c", "umask "+umask+"; exec make --no-print-directory release")
}

// command runs a program, and shows what it prints.
func (c checker) command(ctx context.Context, folder string, environ []string, program string, args ...string) error {
	run := exec.CommandContext(ctx, program, args...)
	run.Dir, run.Stdout, run.Stderr = folder, c.out, c.out
	// The settings of the make that runs this are not those of the make that it runs.
	run.Env = slices.DeleteFunc(slices.Clone(c.environ), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=")
	})
	run.Env = append(run.Env, environ...)
	// make ends what it runs when it is terminated, and does not when it is killed.
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = 10 * time.Second
	if err := run.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return nil
}

// compare returns an error that names every file that only one of two folders has, or that has other bytes.
func compare(one, two string) error {
	names := map[string]bool{}
	for _, folder := range []string{one, two} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			names[entry.Name()] = true
		}
	}
	if len(names) == 0 {
		return errors.New("both builds made nothing")
	}
	var found []error
	for name := range names {
		first, errFirst := os.ReadFile(filepath.Join(one, name))
		second, errSecond := os.ReadFile(filepath.Join(two, name))
		switch {
		case errFirst != nil || errSecond != nil:
			found = append(found, errors.Join(errFirst, errSecond))
		case !bytes.Equal(first, second):
			found = append(found, fmt.Errorf("%s differs between two builds of one commit", name))
		}
	}
	return errors.Join(found...)
}

// removeAll removes a folder with what the go command writes, which is read-only.
func removeAll(folder string) error {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(folder))
}

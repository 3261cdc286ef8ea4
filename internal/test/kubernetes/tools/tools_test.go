package tools

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Of several that need a program at once, one builds it, and all get the same file.
func TestBuildOnce(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	var mu sync.Mutex
	var said []string
	b := builder{cache: cache, say: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			path, err := b.build(t.Context(), "go-1", []string{"build", "cmd/buildid"})
			if want := filepath.Join(cache, "go-1", "buildid"); err != nil || path != want {
				t.Errorf("build = %q, %v, want %q", path, err, want)
			}
		})
	}
	group.Wait()
	if len(said) != 1 {
		t.Errorf("it was built %d times, want once: %q", len(said), said)
	}
	if left, err := filepath.Glob(filepath.Join(cache, "build-*")); err != nil || len(left) > 0 {
		t.Errorf("the builds have left %q, %v", left, err)
	}
}

// A build that fails leaves no program, and says what the go command says.
func TestBuildFails(t *testing.T) {
	t.Parallel()
	b := builder{cache: t.TempDir(), say: func(string) {}}
	_, err := b.build(t.Context(), "none", []string{"build", "cmd/there-is-no-such-program"})
	if err == nil || !strings.Contains(err.Error(), "there-is-no-such-program") {
		t.Errorf("build = %v, want an error that names the program", err)
	}
	if left, err := filepath.Glob(filepath.Join(b.cache, "none", "*")); err != nil || len(left) > 0 {
		t.Errorf("the build has left %q, %v", left, err)
	}
}

// Who waits for the lock stops waiting with its context.
func TestLockIsLimited(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("lock = %v while another has it, want %v", err, context.Canceled)
	}
	unlock()
	again, err := lock(t.Context(), path)
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	again()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

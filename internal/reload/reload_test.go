package reload_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/reload"
)

const patience = 30 * time.Second // how long a test waits for an event; far more than it takes

// file is a file in a Set. Content that begins with "bad" is refused.
type file struct {
	path string

	mu    sync.Mutex
	held  string
	news  []string // the reports of the loop: "" for a load that was applied, else the error
	loads int
	panic bool
}

// follow starts a Loop for a file.
func follow(t *testing.T, path string) (*file, *reload.Loop) {
	t.Helper()
	f := &file{path: path}
	set := reload.NewSet("it", path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.held = string(text)
	set.SetLoad(f.load)
	loop := reload.NewLoop(f.done, set)
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() { loop.Run(ctx); close(ended) }()
	t.Cleanup(func() { end(); <-ended })
	return f, loop
}

func (f *file) load() (func(), error) {
	f.mu.Lock()
	f.loads++
	panics := f.panic
	f.mu.Unlock()
	if panics {
		panic("of the test")
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, errors.New("cannot be read")
	}
	if strings.HasPrefix(string(text), "bad") {
		return nil, errors.New(string(text))
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.held = string(text)
	}, nil
}

func (f *file) done(name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	f.news = append(f.news, text)
	if name != "it" {
		f.news = append(f.news, "of "+name)
	}
}

func (f *file) has() (held, news string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held, strings.Join(f.news, "|")
}

// await waits until this content is held and the loop has reported just this news.
func (f *file) await(t *testing.T, held, news string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		gotHeld, gotNews := f.has()
		if gotHeld == held && gotNews == news {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q is held after the news %q, want %q after %q", gotHeld, gotNews, held, news)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// However a file is replaced, the new content is applied, once.
func TestWaysToReplaceAFile(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(t *testing.T, folder string){
		"written in place": func(t *testing.T, folder string) {
			t.Helper()
			write(t, folder+"/data/f", "after")
		},
		"renamed over": func(t *testing.T, folder string) {
			t.Helper()
			write(t, folder+"/data/new", "after")
			must(t, os.Rename(folder+"/data/new", folder+"/data/f"))
		},
		"renamed over, of the same size and age": func(t *testing.T, folder string) {
			t.Helper()
			write(t, folder+"/data/new", "afterw")
			info, err := os.Stat(folder + "/data/f")
			must(t, err)
			must(t, os.Chtimes(folder+"/data/new", info.ModTime(), info.ModTime()))
			must(t, os.Rename(folder+"/data/new", folder+"/data/f"))
			write(t, folder+"/data/f", "after")
		},
		"removed and made again": func(t *testing.T, folder string) {
			t.Helper()
			must(t, os.Remove(folder+"/data/f"))
			write(t, folder+"/data/f", "after")
		},
		"link to the file changed": func(t *testing.T, folder string) {
			t.Helper()
			write(t, folder+"/other", "after")
			must(t, os.Symlink(folder+"/other", folder+"/data/new"))
			must(t, os.Rename(folder+"/data/new", folder+"/data/f"))
		},
		"folder renamed away and made again": func(t *testing.T, folder string) {
			t.Helper()
			must(t, os.Rename(folder+"/data", folder+"/old"))
			must(t, os.Mkdir(folder+"/data", 0o700))
			write(t, folder+"/data/f", "after")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			must(t, os.Mkdir(folder+"/data", 0o700))
			write(t, folder+"/data/f", "before")
			f, _ := follow(t, folder+"/data/f")
			replace(t, folder)
			f.await(t, "after", "")
			if _, news := f.has(); strings.Contains(news, "|") {
				t.Errorf("it was loaded more than once: %q", news)
			}
		})
	}
}

// Kubernetes has the files of a ConfigMap or Secret behind two links, and replaces the second.
func TestKubernetesSwap(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	version := func(name, text string) {
		must(t, os.Mkdir(filepath.Join(folder, name), 0o700))
		write(t, filepath.Join(folder, name, "f"), text)
		must(t, os.Symlink(name, filepath.Join(folder, "..data_tmp")))
		must(t, os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
	}
	version("..1", "one")
	must(t, os.Symlink("..data/f", filepath.Join(folder, "f")))
	f, _ := follow(t, filepath.Join(folder, "f"))
	for _, text := range []string{"two", "three"} {
		version(".."+text, text)
		must(t, os.RemoveAll(filepath.Join(folder, "..1")))
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			if held, _ := f.has(); held == text {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%q was not applied", text)
			}
		}
	}
}

// Refused content is reported once, changes nothing, and is replaced by the next content.
func TestRefused(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	write(t, path, "one")
	f, loop := follow(t, path)
	write(t, path, "bad")
	f.await(t, "one", "bad")
	must(t, os.Remove(path))
	f.await(t, "one", "bad|cannot be read")
	write(t, path, "two")
	f.await(t, "two", "bad|cannot be read|")

	f.mu.Lock()
	f.panic = true
	f.mu.Unlock()
	must(t, loop.Reload(t.Context()))
	f.await(t, "two", "bad|cannot be read||panic: value of type string")
	f.mu.Lock()
	f.panic = false
	f.mu.Unlock()
	write(t, path, "three")
	f.await(t, "three", "bad|cannot be read||panic: value of type string|")
}

// Reload loads a file without a change, before it returns.
func TestReload(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	write(t, path, "one")
	f, loop := follow(t, path)
	for range 3 {
		must(t, loop.Reload(t.Context()))
	}
	if held, news := f.has(); held != "one" || news != "||" {
		t.Errorf("%q is held after the news %q, want three loads", held, news)
	}
	write(t, path, "two")
	must(t, loop.Reload(t.Context()))
	if held, _ := f.has(); held != "two" {
		t.Errorf("%q is held after Reload, want the new content", held)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := loop.Reload(ended); err == nil {
		t.Error("Reload() = nil although its context was done")
	}
}

// A change between NewSet and the start of the loop is not missed.
func TestChangedBeforeTheStart(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	write(t, path, "one")
	set := reload.NewSet("it", path)
	f := &file{path: path, held: "one"}
	set.SetLoad(f.load)
	write(t, path, "two!")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go reload.NewLoop(f.done, set).Run(ctx)
	f.await(t, "two!", "")
}

// A file that changes while it is read is not applied: it is read again when it is quiet.
func TestChangedWhileRead(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/f"
	write(t, path, "one")
	f := &file{path: path, held: "one"}
	set := reload.NewSet("it", path)
	first := true
	var applied []string
	set.SetLoad(func() (func(), error) {
		text, err := os.ReadFile(path)
		if first {
			first = false
			write(t, path, "three")
		}
		return func() { applied = append(applied, string(text)); f.mu.Lock(); f.held = string(text); f.mu.Unlock() }, err
	})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan struct{})
	go func() { reload.NewLoop(f.done, set).Run(ctx); close(ended) }()
	write(t, path, "two")
	f.await(t, "three", "")
	end()
	<-ended
	if len(applied) != 1 {
		t.Errorf("applied were %q, want only the last content", applied)
	}
}

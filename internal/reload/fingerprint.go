package reload

import (
	"crypto/sha256"
	"io"
	"os"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// fingerprint is the state of files, to notice changes without reading them. A file without a readable state is nil.
type fingerprint []os.FileInfo

func fingerprintOf(paths []string) fingerprint {
	f := make(fingerprint, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			f[i] = info
		}
	}
	return f
}

func (f fingerprint) equal(g fingerprint) bool { return slices.EqualFunc(f, g, same) }

// same compares all that changes when a file is written to, replaced, or made readable.
func same(a, b os.FileInfo) bool {
	return sameButInode(a, b) && (a == nil || ctime(a).Equal(ctime(b)))
}

// sameButInode compares what changes when a file is replaced, unless the new one has the same size and is given the same
// modification time, as by rsync --times.
func sameButInode(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// compareContent is for files with changes in their inodes only, as when a backup makes hard links of them each
// hour: it hashes them, and reports whether their content is still that of the last load. With any other change, it
// does not read them, and sum is empty.
func (s *Set) compareContent() (sum string, same bool) {
	switch {
	case s.seen.equal(s.loaded):
		return s.content, false
	case !slices.EqualFunc(s.seen, s.loaded, sameButInode):
		return "", false
	}
	sum = digest(s.paths)
	return sum, sum != "" && sum == s.content
}

// digest returns a hash of the content of files, or an empty string when one cannot be read.
func digest(paths []string) string {
	all := sha256.New()
	for _, path := range paths {
		// Opening a pipe would wait for its writer.
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return ""
		}
		file, err := os.Open(path)
		if err != nil {
			return ""
		}
		one := sha256.New()
		_, err = io.Copy(one, file)
		_ = file.Close() // nothing was written
		if err != nil {
			return ""
		}
		_, _ = all.Write(one.Sum(nil))
	}
	return string(all.Sum(nil))
}

// watcher reports changes of files, if the system does. Its reports are hints to look sooner: without them, the loop looks
// at the files too.
type watcher struct {
	*fsnotify.Watcher
	reported chan struct{} // something may have changed since this was last read
	followed map[string]os.FileInfo
}

func newWatcher() watcher {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return watcher{} // the system may have no watches left
	}
	reported := make(chan struct{}, 1)
	go func() {
		for open := true; open; {
			select {
			case _, open = <-w.Events:
			case _, open = <-w.Errors: // events were lost, maybe ours
			}
			select {
			case reported <- struct{}{}:
			default:
			}
		}
	}()
	return watcher{w, reported, map[string]os.FileInfo{}}
}

// follow watches the current files. It does not watch their folders, although those would report a new file under an old
// name: with the log or the audit log in the same folder, every line would wake the loop, at the cost of each request. A
// change that a watched file does not report, such as a link to another file, is found by the next look.
func (w watcher) follow(sets []*Set) {
	if w.Watcher == nil {
		return
	}
	for path := range w.followed {
		if !slices.ContainsFunc(sets, func(s *Set) bool { return slices.Contains(s.paths, path) }) {
			_ = w.Remove(path)
			delete(w.followed, path)
		}
	}
	for _, s := range sets {
		for _, path := range s.paths {
			info, err := os.Stat(path)
			if before := w.followed[path]; before != nil && (err != nil || !os.SameFile(before, info)) {
				_ = w.Remove(path) // the watch of the former file; the system would keep it as long as the process runs
			}
			w.followed[path] = info
			_ = w.Add(path) // a missing file is tried again
		}
	}
}

func (w watcher) close() {
	if w.Watcher != nil {
		_ = w.Close()
	}
}

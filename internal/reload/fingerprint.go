package reload

import (
	"crypto/sha256"
	"io"
	"os"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// fingerprint tells whether files have changed, without reading them. A file that cannot be looked at
// is nil.
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

// same compares what changes when a file is written to, replaced, or made readable.
func same(a, b os.FileInfo) bool {
	return sameButInode(a, b) && (a == nil || ctime(a).Equal(ctime(b)))
}

// sameButInode compares what changes when a file is replaced, unless its size and its modification time are made to
// stay the same, as by rsync --times.
func sameButInode(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}

// compareContent is for files whose inodes alone have changed, as when a backup makes hard links of them each
// hour: it hashes them, and reports whether their content is still that of the last load. Where more has changed, the
// load is not worth a second reading, and sum is empty.
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

// digest is a hash of the content of files, or empty where one cannot be read.
func digest(paths []string) string {
	all := sha256.New()
	for _, path := range paths {
		// A pipe would be waited for.
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

// watcher reports changes of files, where the system does. It is a hint to look sooner: without it, files
// are looked at all the same.
type watcher struct {
	*fsnotify.Watcher
	reported chan struct{} // something may have changed since this was last read
	followed map[string]os.FileInfo
}

func newWatcher() watcher {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return watcher{} // there may be no watches left
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

// follow watches the files as they are now. Not their folders, although those would tell of a new file
// under an old name: when the log or the audit log is in the same folder, every line would wake us, at
// the cost of each request. What a watched file does not tell, such as a link that leads elsewhere now,
// the next look finds.
func (w watcher) follow(sets []*Set) {
	if w.Watcher == nil {
		return
	}
	for _, s := range sets {
		for _, path := range s.paths {
			info, err := os.Stat(path)
			if before := w.followed[path]; before != nil && (err != nil || !os.SameFile(before, info)) {
				_ = w.Remove(path) // of what was there before; the system would keep it for as long as we run
			}
			w.followed[path] = info
			_ = w.Add(path) // one that is not there yet is tried again
		}
	}
}

func (w watcher) close() {
	if w.Watcher != nil {
		_ = w.Close()
	}
}

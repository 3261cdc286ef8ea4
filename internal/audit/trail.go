package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"step-posture-connector/internal/filesys"
)

const (
	// appending never waits for a reader: opening a pipe without a reader is an error, not a pause.
	appending = os.O_WRONLY | os.O_APPEND | nonblocking
	onlyOwner = 0o600
)

// Trail is the audit log: a file. Every decision is appended to it, as one JSON line in one write.
// It is for one daemon at a time. With a chain, each line also has what it takes to find a change: see OpenChain.
type Trail struct {
	path  string
	facts *vocabulary // nil where no facts are recorded

	lock   chan struct{} // holds an element while the fields below are in use; unlike a mutex, waiting for it can time out
	file   *os.File
	buffer bytes.Buffer
	torn   bool // the file ends in an unfinished line, which could not be removed

	chain *chain // nil where lines are not chained
}

// OpenTrail opens the audit log at path, or creates it. An unfinished last line, which a daemon that was killed may have
// left, is removed; cut is its length in bytes. Its request was not answered: the line is written before the answer.
func OpenTrail(path string) (t *Trail, cut int64, err error) {
	t = &Trail{path: path, lock: make(chan struct{}, 1)}
	if cut, err = t.open(); err != nil {
		return nil, 0, err
	}
	return t, cut, nil
}

// RecordFacts makes each line have what its decision was made of, so that it can be decided again under another policy.
// It is called before the first line is written.
func (t *Trail) RecordFacts() { t.facts = newVocabulary() }

func (t *Trail) open() (cut int64, err error) {
	file, err := os.OpenFile(t.path, appending|os.O_CREATE, onlyOwner)
	if err != nil {
		return 0, cannotOpen(t.path, err)
	}
	t.file = file
	return t.cutUnfinished(), nil
}

// cutUnfinished removes an unfinished last line, and returns its length. Where that is not possible, or the end of the
// file is not known, the next line begins with a line end, so that it is whole.
func (t *Trail) cutUnfinished() int64 {
	info, err := t.file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return 0 // an unfinished line in a pipe is still there, so torn stays as it was
	}
	var fragment []byte
	if err == nil {
		fragment, err = unfinished(t.path, info)
	}
	t.torn = err != nil || len(fragment) > 0
	if err != nil || len(fragment) == 0 || !isOurs(fragment) || shorten(t.file, len(fragment)) != nil {
		return 0
	}
	t.torn = false
	return int64(len(fragment))
}

// cannotOpen says why the audit log cannot be opened, and names the folder if that is the cause. The caller shows the
// path itself.
func cannotOpen(path string, err error) error {
	folder := filepath.Dir(path)
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute // the operator may not know where the program was started
	}
	_, errFolder := os.Stat(folder)
	why := ""
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(errFolder, fs.ErrNotExist):
		why = "the folder " + folder + " does not exist"
	case errors.Is(err, syscall.ENOTDIR):
		why = folder + " is not a folder"
	case errors.Is(err, syscall.EROFS):
		why = "the file system is read-only; under systemd and in a container it can write only to the folders that were set up for it"
	case errors.Is(err, fs.ErrPermission):
		why = "the connector's user may not write there"
	case errors.Is(err, syscall.ENXIO):
		why = "it is a pipe without a reader, or a socket"
	}
	if why == "" {
		return filesys.WithoutPath(err)
	}
	return fmt.Errorf("%w: %s", filesys.Cause(err), why)
}

// unfinished returns what follows the last line end of a regular file.
func unfinished(path string, info os.FileInfo) ([]byte, error) {
	if info.Size() == 0 {
		return nil, nil
	}
	// By a descriptor of its own: opened for reading and writing, a pipe without a reader would be no error.
	reader, err := os.OpenFile(path, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, filesys.WithoutPath(err)
	}
	defer reader.Close()
	if same, err := reader.Stat(); err != nil || !os.SameFile(same, info) {
		return nil, errors.New("it was moved meanwhile")
	}
	tail := make([]byte, min(info.Size(), longestLine))
	if _, err := reader.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return nil, filesys.WithoutPath(err)
	}
	end := bytes.LastIndexByte(tail, '\n')
	if end < 0 && info.Size() > longestLine {
		return nil, errors.New("its last line is longer than any of the audit log")
	}
	return tail[end+1:], nil
}

// isOurs reports whether a fragment can be the beginning of a line of the audit log. Nothing else is removed: the
// operator may have named the wrong file.
func isOurs(fragment []byte) bool {
	begin := []byte(`{"time":"`)
	return bytes.HasPrefix(fragment, begin) || bytes.HasPrefix(begin, fragment)
}

// shorten removes n bytes from the end of a file.
func shorten(file *os.File, n int) error {
	info, err := file.Stat()
	if err != nil {
		return filesys.WithoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	return filesys.WithoutPath(file.Truncate(info.Size() - int64(n)))
}

// errStall means that a write took more than its time.
var errStall = fmt.Errorf("not written in time: its reader, or the file system, hangs: %w", os.ErrDeadlineExceeded)

// acquire takes the lock, or gives up after patience.
func (t *Trail) acquire(patience time.Duration) error {
	select {
	case t.lock <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t.lock <- struct{}{}:
		return nil
	case <-timer.C:
		return errStall
	}
}

func (t *Trail) release() { <-t.lock }

// Append writes an event. With an error, it is not in the audit log; the next one is tried anyway.
//
// Nothing can interrupt a write to a file system that hangs, such as NFS without its server: the request that
// writes hangs too. All others wait for stall and continue. (A goroutine for each write would free that one
// request, and cost every other request five times as much as the write.)
func (t *Trail) Append(e *Event) error {
	return t.write(e.Left, func() any { return e.line(t.facts) })
}

// AppendEvent writes a line that is no decision. Its error is as that of Append.
func (t *Trail) AppendEvent(n Notice) error {
	return t.write(n.Left, func() any { return n.line() })
}

// write writes a line within the time that is left, zero for no limit. With a chain, a line that could not be written is counted
// in the one that can be written next.
func (t *Trail) write(left time.Duration, line func() any) error {
	err := t.tryWrite(left, line)
	if err != nil && t.chain != nil {
		t.chain.lost.Add(1)
	}
	return err
}

func (t *Trail) tryWrite(left time.Duration, line func() any) error {
	// The deadline is set before the lock is taken: a stuck reader delays all waiting requests by stall in total, and
	// not by stall one after the other.
	patience := stall
	if left > 0 {
		patience = min(patience, left)
	}
	deadline := time.Now().Add(patience)
	if err := t.acquire(patience); err != nil {
		return err
	}
	defer t.release()
	if t.chain != nil {
		if err := t.settle(deadline); err != nil {
			return err
		}
	}
	return t.put(deadline, line())
}

// put writes one line, in one write.
func (t *Trail) put(deadline time.Time, line any) error {
	t.buffer.Reset()
	if t.torn {
		t.buffer.WriteByte('\n') // so that this line is whole
	}
	begin := t.buffer.Len()
	encoder := json.NewEncoder(&t.buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		return fmt.Errorf("encode the line: %w", err)
	}
	var sealed Link
	if t.chain != nil {
		sealed = t.chain.seal(&t.buffer, begin)
	}
	_ = t.file.SetWriteDeadline(deadline) // an error for a regular file, which has no deadlines
	n, err := t.file.Write(t.buffer.Bytes())
	if err != nil && n > 0 {
		// Only a part of the line was written.
		t.leave(t.buffer.Bytes()[:n])
	}
	if err != nil {
		return filesys.WithoutPath(err)
	}
	t.torn = false
	if t.chain != nil {
		t.chain.wrote(sealed, n)
	}
	return nil
}

// leave removes a part of a line, or notes that it is there.
func (t *Trail) leave(part []byte) {
	if shorten(t.file, len(part)) == nil {
		return
	}
	if t.chain != nil {
		t.chain.size += int64(len(part))
		if t.torn && t.chain.fragmentBytes == 0 {
			part = part[1:] // the line end of the line before
		}
		t.chain.left(part)
	}
	t.torn = len(part) > 0
}

// Reopen opens the path again, after a program such as logrotate has moved the file. With an error, the file that was
// open stays in use.
func (t *Trail) Reopen() (cut int64, err error) {
	if err := t.acquire(stall); err != nil {
		return 0, err
	}
	defer t.release()
	if t.chain != nil {
		return 0, t.reopenChained()
	}
	old := t.file
	if cut, err = t.open(); err != nil {
		return 0, err
	}
	_ = old.Close() // every line was written when Append returned
	return cut, nil
}

// Close closes the file, unless a write is still in progress.
func (t *Trail) Close() error {
	if err := t.acquire(stall); err != nil {
		return err
	}
	defer t.release()
	if t.chain != nil {
		_ = t.settle(time.Now().Add(stall)) // what was lost is not lost silently
	}
	if err := t.file.Close(); err != nil {
		return filesys.WithoutPath(err)
	}
	return nil
}

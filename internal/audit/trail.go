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
	// appending never waits for a reader: opening a pipe that nobody reads is an error, not a pause.
	appending = os.O_WRONLY | os.O_APPEND | nonblocking
	onlyOwner = 0o600
	// stall is how long a write may wait: for the reader of a pipe, or a file system that hangs.
	stall = time.Second
	// longestLine bounds what is looked through for the beginning of a last line, in bytes. A line of
	// ours is far shorter.
	longestLine = 1 << 20
)

// Trail is the audit log: a file to which every decision is appended, as one JSON line in one write.
// It is for one daemon at a time.
type Trail struct {
	path string

	lock   chan struct{} // holds an element while somebody uses what follows; unlike a mutex, it can be waited for in vain
	file   *os.File
	buffer bytes.Buffer
	torn   bool // the file ends in part of a line, which could not be taken back
}

// line is an Event as the audit log has it. docs/logging.md describes the keys; a test compares.
type line struct {
	Time       string   `json:"time"`
	Reference  string   `json:"reference"`
	Decision   string   `json:"decision"`
	Code       string   `json:"code"`
	Reason     string   `json:"reason"`
	Identifier string   `json:"identifier"`
	Mode       string   `json:"mode"`
	Provider   string   `json:"provider"`
	WebhookID  string   `json:"webhook_id"`
	RequestID  string   `json:"request_id"`
	Groups     []string `json:"groups"`
	DurationMS float64  `json:"duration_ms"`
}

func (e *Event) line() line {
	groups := make([]string, len(e.Groups)) // a list even where there is none
	for i, group := range e.Groups {
		groups[i] = Clean(group, maxReason)
	}
	return line{
		Time:       e.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		Reference:  e.Reference,
		Decision:   e.decision(),
		Code:       e.Code,
		Reason:     Clean(e.Reason, maxReason),
		Identifier: Clean(e.Identifier, maxShown),
		Mode:       Clean(e.Mode, maxShown),
		Provider:   e.Provider,
		WebhookID:  Clean(e.WebhookID, maxShown),
		RequestID:  e.RequestID,
		Groups:     groups,
		DurationMS: float64(e.Duration.Microseconds()) / float64(time.Millisecond/time.Microsecond),
	}
}

// OpenTrail opens the audit log at path, and makes it where there is none. Part of a line at its end,
// which a daemon that was killed may have left, is cut off; cut says how many bytes that were. Its
// request was not answered: the line is written before the answer.
func OpenTrail(path string) (t *Trail, cut int64, err error) {
	t = &Trail{path: path, lock: make(chan struct{}, 1)}
	if cut, err = t.open(); err != nil {
		return nil, 0, err
	}
	return t, cut, nil
}

func (t *Trail) open() (cut int64, err error) {
	file, err := os.OpenFile(t.path, appending|os.O_CREATE, onlyOwner)
	if err != nil {
		return 0, cannotOpen(t.path, err)
	}
	t.file = file
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return 0, nil // part of a line that went into a pipe is still there, so torn stays as it was
	}
	var fragment []byte
	if err == nil {
		fragment, err = unfinished(t.path, info)
	}
	// When it is not known how the file ends, the next line begins on a line of its own.
	t.torn = err != nil || len(fragment) > 0
	if err != nil || len(fragment) == 0 || !isOurs(fragment) || shorten(file, len(fragment)) != nil {
		return 0, nil //nolint:nilerr // the file is open, and lines in it will be whole
	}
	t.torn = false
	return int64(len(fragment)), nil
}

// cannotOpen says why the audit log cannot be opened, with the folder where that is at fault. The path itself is
// shown with the error.
func cannotOpen(path string, err error) error {
	folder := filepath.Dir(path)
	if absolute, err := filepath.Abs(folder); err == nil {
		folder = absolute // a relative path begins where the program was started, which is easily mistaken
	}
	_, errFolder := os.Stat(folder)
	why := ""
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(errFolder, fs.ErrNotExist):
		why = "the folder " + folder + " does not exist"
	case errors.Is(err, syscall.ENOTDIR):
		why = folder + " is not a folder"
	case errors.Is(err, syscall.EROFS):
		why = "the file system is read-only; under systemd and in a container only the folders that were set up for it can be written to"
	case errors.Is(err, fs.ErrPermission):
		why = "the user that the connector runs as may not write there"
	case errors.Is(err, syscall.ENXIO):
		why = "it is a pipe that nobody reads, or a socket"
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
	// By a descriptor of its own: opened for both, a pipe that nobody reads would be no error.
	reader, err := os.OpenFile(path, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, filesys.WithoutPath(err)
	}
	defer reader.Close()
	if same, err := reader.Stat(); err != nil || !os.SameFile(same, info) {
		return nil, errors.New("moved away meanwhile")
	}
	tail := make([]byte, min(info.Size(), longestLine))
	if _, err := reader.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return nil, filesys.WithoutPath(err)
	}
	end := bytes.LastIndexByte(tail, '\n')
	if end < 0 && info.Size() > longestLine {
		return nil, errors.New("longer than any line")
	}
	return tail[end+1:], nil
}

// isOurs reports whether a fragment can be the beginning of a line of ours. Nothing else is cut off:
// somebody may have named the wrong file.
func isOurs(fragment []byte) bool {
	begin := []byte(`{"time":"`)
	return bytes.HasPrefix(fragment, begin) || bytes.HasPrefix(begin, fragment)
}

// shorten takes n bytes off the end of a file.
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

// errStall says that a file took more time than there is.
var errStall = fmt.Errorf("not written in time: its reader, or the file system, hangs: %w", os.ErrDeadlineExceeded)

// acquire takes the lock, or gives up after the time of patience.
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

// Append writes an event. An error says that it is not in the log; the next one is tried all the same.
//
// Nothing can interrupt a write to a file system that hangs, such as NFS without its server: the request that
// made it hangs too. All others wait for stall and go on. (A goroutine for each write would free that one
// request, and cost every other five times what the write costs.)
func (t *Trail) Append(e *Event) error {
	// The time begins before the lock is taken: a reader that is stuck delays all requests by that long
	// together, not one after the other.
	patience := stall
	if e.Left > 0 {
		patience = min(patience, e.Left)
	}
	deadline := time.Now().Add(patience)
	if err := t.acquire(patience); err != nil {
		return err
	}
	defer t.release()
	t.buffer.Reset()
	if t.torn {
		t.buffer.WriteByte('\n') // so that at least this line is whole
	}
	encoder := json.NewEncoder(&t.buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e.line()); err != nil {
		return fmt.Errorf("encode the line: %w", err)
	}
	_ = t.file.SetWriteDeadline(deadline) // a regular file takes none
	n, err := t.file.Write(t.buffer.Bytes())
	if err != nil && n > 0 {
		// Only a part of the line had room.
		t.torn = shorten(t.file, n) != nil || t.torn
	}
	if err != nil {
		return filesys.WithoutPath(err)
	}
	t.torn = false
	return nil
}

// Reopen opens the path again, after a program such as logrotate has moved the file away. With an error
// the file that was open stays in use.
func (t *Trail) Reopen() (cut int64, err error) {
	if err := t.acquire(stall); err != nil {
		return 0, err
	}
	defer t.release()
	old := t.file
	if cut, err = t.open(); err != nil {
		return 0, err
	}
	_ = old.Close() // every line was written when Append returned
	return cut, nil
}

// Close closes the file, unless it is still being written to.
func (t *Trail) Close() error {
	if err := t.acquire(stall); err != nil {
		return err
	}
	defer t.release()
	if err := t.file.Close(); err != nil {
		return filesys.WithoutPath(err)
	}
	return nil
}

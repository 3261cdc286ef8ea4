package audit

import (
	"bytes"
	"errors"
	"os"
	"time"

	"step-posture-connector/internal/filesys"
)

// Beginning is what OpenChain found at the end of the file.
type Beginning struct {
	Head  Head   // of the chain now
	Chain string // its name
	// Started is why a new chain begins here; empty where the one in the file is continued.
	Started string
	// IsBroken says that the last line did not verify.
	IsBroken bool
	// Torn is the length of an unfinished last line, in bytes.
	Torn int64
	// Err is why the first line could not be written; it is tried again with the next one.
	Err error
}

// OpenChain is OpenTrail for an audit log whose lines are chained with the key. It continues the chain in which the file ends,
// and locks the file: two daemons would each continue the chain of the other one. An unfinished last line is kept. warn gets
// what an administrator should know of later changes to the file; it must not wait.
func OpenChain(path string, key []byte, warn func(string)) (*Trail, Beginning, error) {
	t := &Trail{path: path, lock: make(chan struct{}, 1), chain: newChain(key, warn)}
	tail, isWhole, err := t.openChained()
	if err != nil {
		return nil, Beginning{}, err
	}
	c := t.chain
	c.resume(tail, isWhole)
	// A line without a chain behind one with it was not written by a daemon that had the chain.
	hasChain := bytes.Contains(tail, []byte(beforeMAC))
	b := Beginning{Started: c.start, IsBroken: c.start == startBroken || c.start == startUnread || c.start == startUnchained && hasChain}
	if c.start == "" {
		b.Torn = c.fragmentBytes
	}
	_ = t.acquire(stall) // nobody else has it yet
	defer t.release()
	b.Err = t.settle(time.Now().Add(stall))
	b.Head, b.Chain = c.last.Head(), c.last.Chain
	return t, b, nil
}

// openChained opens and locks the file, and returns its end.
func (t *Trail) openChained() (tail []byte, isWhole bool, err error) {
	if err := refuseIrregular(t.path); err != nil {
		return nil, false, err
	}
	file, err := os.OpenFile(t.path, os.O_RDWR|os.O_APPEND|nonblocking|os.O_CREATE, onlyOwner)
	if err != nil {
		return nil, false, cannotOpen(t.path, err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		err = filesys.WithoutPath(err)
	case !info.Mode().IsRegular():
		err = errNotRegular
	case t.file != nil && sameAs(t.file, info):
		_ = file.Close() // it was not moved: the lock is on the one that is open
		return nil, true, errSame
	default:
		err = lockFile(file)
	}
	if err == nil {
		// The size under the lock: the daemon before may just have written its last line.
		if info, err = file.Stat(); err == nil {
			tail, isWhole, err = readTail(file, info)
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, false, err
	}
	if t.file != nil {
		_ = t.file.Close() // every line was written when Append returned
	}
	t.file, t.chain.size = file, info.Size()
	t.torn = len(tail) > 0 && tail[len(tail)-1] != '\n'
	return tail, isWhole, nil
}

var errSame = errors.New("it is the file that is open")

func sameAs(file *os.File, info os.FileInfo) bool {
	open, err := file.Stat()
	return err == nil && os.SameFile(open, info)
}

// readTail returns the end of a regular file, as far back as a line of ours can reach.
func readTail(file *os.File, info os.FileInfo) (tail []byte, isWhole bool, err error) {
	if info.Size() == 0 {
		return nil, true, nil
	}
	tail = make([]byte, min(info.Size(), longestLine))
	if _, err := file.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return nil, false, filesys.WithoutPath(err)
	}
	return tail, int64(len(tail)) == info.Size(), nil
}

// refuseIrregular refuses a file that exists and is no regular one, before it is opened: the reader of a pipe would take the end of
// this for the end of the log.
func refuseIrregular(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return errNotRegular
	}
	return nil
}

// settle writes what must be in front of the next line. It is called under the lock.
func (t *Trail) settle(deadline time.Time) error {
	c := t.chain
	t.lookAtFile()
	if c.start != "" {
		first := newChainEvent(EventChainStart)
		first.Reason = c.start
		if err := t.put(deadline, first); err != nil {
			return err
		}
	}
	if t.torn && c.fragmentBytes > 0 { // else the last line is whole but for its line end
		if err := t.put(deadline, c.torn()); err != nil {
			return err
		}
	}
	for len(c.due) > 0 {
		if err := t.put(deadline, c.due[0]); err != nil {
			return err
		}
		c.due = c.due[1:]
	}
	lost := newChainEvent(EventLost)
	if lost.Lost = c.lost.Swap(0); lost.Lost == 0 {
		return nil
	}
	err := t.put(deadline, lost)
	if err != nil {
		c.lost.Add(lost.Lost)
	}
	return err
}

// lookAtFile notices that another program has changed the file, which nothing but this process may.
func (t *Trail) lookAtFile() {
	c := t.chain
	info, err := t.file.Stat()
	if err != nil || info.Size() == c.size || !info.Mode().IsRegular() {
		return // of an error the next write reports the cause
	}
	if info.Size() < c.size {
		c.await(newChainEvent(EventTruncated))
		c.warn("another program has made the file shorter, as logrotate does with copytruncate; lines may be missing from it: move the file, and send SIGHUP")
	} else {
		c.warn("another program has written to the file; audit verify will report its lines as inserted")
	}
	c.size = info.Size()
	tail, _, err := readTail(t.file, info)
	if err != nil {
		return // the next write reports the cause
	}
	fragment := tail[bytes.LastIndexByte(tail, '\n')+1:]
	t.torn = len(fragment) > 0
	if link, _, isIntact := c.sealer.Verify(fragment); isIntact && link == c.last {
		fragment = nil // only its line end is missing
	}
	c.behind(fragment)
}

// reopenChained is Reopen with a chain, under the lock. The chain goes on in the new file.
func (t *Trail) reopenChained() error {
	tail, _, err := t.openChained()
	if errors.Is(err, errSame) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(tail) > 0 {
		t.chain.warn("the file that was opened has lines already, which the chain does not continue; audit verify will report that")
	}
	t.chain.behind(tail[bytes.LastIndexByte(tail, '\n')+1:])
	t.chain.await(newChainEvent(EventChainContinued))
	_ = t.settle(time.Now().Add(stall)) // else before the next line
	return nil
}

// Head is the last line of the chain, after what was due was written. Its Chain is empty of an audit log without one.
func (t *Trail) Head() (Link, error) {
	if t.chain == nil {
		return Link{}, nil
	}
	if err := t.acquire(stall); err != nil {
		return Link{}, err
	}
	defer t.release()
	err := t.settle(time.Now().Add(stall))
	return t.chain.last, err
}

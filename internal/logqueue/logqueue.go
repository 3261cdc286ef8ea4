// Package logqueue writes log lines without ever waiting for whoever reads them: a pipe that is full, or
// a disk that hangs, must not stop the program that logs.
//
// Loggers with such a queue exist (zerolog's diode, go-diodes). They bound the number of lines but not of
// bytes, keep one allocation for each line, and cannot say when the writer is stuck.
package logqueue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// maxWaiting bounds the lines that wait, in bytes: about a second of 10,000 lines a second.
	maxWaiting = 4 << 20
	// maxKept is how large a buffer is kept for the next lines, in bytes.
	maxKept = 64 << 10
	// maxWrite is how much is written at once, in bytes, where a line is not longer. Up to it (PIPE_BUF) a
	// write to a pipe is all or nothing, so that lines do not mix with those that others write to it.
	maxWrite = 4 << 10
	// maxFileWrite is the same for a regular file, where lines do not mix.
	maxFileWrite = 64 << 10
	// gathering is the least time between two batches: lines that come meanwhile are written together. A write
	// costs a tenth of a request.
	gathering = 5 * time.Millisecond
	// stuckAfter is how long a write may take before the queue reports that it is stuck.
	stuckAfter = time.Second
)

// Queue is an io.Writer of lines. Write puts a line into memory; one goroutine writes them to the
// destination, in their order. When memory is full or a write fails, lines are dropped and counted, and a
// line reports how many, at the place where they are missing.
type Queue struct {
	out  io.Writer
	most int           // bytes in one write
	wake chan struct{} // has room for one: there is something to do
	done chan struct{} // closed when the last line was written
	torn bool          // the last write ended within a line; of the goroutine that writes

	mu        sync.Mutex
	waiting   []byte // whole lines
	highest   int    // the most bytes that were waiting
	closed    bool
	notice    func(lost uint64) []byte
	dropped   uint64    // lines, since the start
	lost      uint64    // of those, the ones that no line has reported yet
	reporting uint64    // likewise; the line that reports them is about to be written
	failed    error     // why the last write failed; nil when it did not
	since     time.Time // when the write in progress began; zero when there is none
}

// New makes a Queue that writes to out.
func New(out io.Writer) *Queue {
	q := &Queue{out: out, most: mostOf(out), wake: make(chan struct{}, 1), done: make(chan struct{})}
	q.notice = func(lost uint64) []byte { return fmt.Appendf(nil, "%d lines of the log were lost\n", lost) }
	go q.run()
	return q
}

// mostOf is how much is written to out at once.
func mostOf(out io.Writer) int {
	if file, ok := out.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return maxFileWrite
		}
	}
	return maxWrite
}

// Notice sets what makes the line that reports how many lines were lost. It must not write to the Queue.
func (q *Queue) Notice(line func(lost uint64) []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.notice = line
}

// Write takes whole lines. It never waits and never fails: a line that has no room is dropped.
func (q *Queue) Write(lines []byte) (int, error) {
	q.mu.Lock()
	// Once a line was dropped, so are those after it until the writer has caught up: they are reported by one
	// line, which stands where they are missing.
	if q.lost > 0 || q.closed || len(q.waiting)+len(lines) > maxWaiting {
		q.drop(lines)
	} else {
		q.waiting = append(q.waiting, lines...)
		q.highest = max(q.highest, len(q.waiting))
	}
	q.mu.Unlock()
	q.signal()
	return len(lines), nil
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // the last signal has not been received yet
	}
}

// drop counts lines that are lost; q.mu is held.
func (q *Queue) drop(lines []byte) {
	n := uint64(bytes.Count(lines, []byte{'\n'})) //nolint:gosec // G115: a count is not negative
	q.dropped += n
	q.lost += n
}

// Dropped returns how many lines were dropped since the start.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Highest returns the most bytes that were waiting at once since the start.
func (q *Queue) Highest() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.highest
}

// Err says what is wrong at present: that a write does not end, or that lines are being lost. It is nil
// again when the loss was reported.
func (q *Queue) Err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.lost + q.reporting
	took := time.Duration(0)
	if !q.since.IsZero() {
		took = time.Since(q.since)
	}
	switch {
	case took > stuckAfter:
		return fmt.Errorf("a write has not ended for %s, %d lines were lost; does the program that reads the log hang?", took.Round(time.Second), lost)
	case q.failed != nil:
		return fmt.Errorf("%d lines were lost: %w", lost, q.failed)
	case lost > 0:
		return fmt.Errorf("%d lines were lost, because they are not read as fast as they are written", lost)
	}
	return nil
}

// Close writes what is waiting, within limit. Lines that come later are dropped.
func (q *Queue) Close(limit time.Duration) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-q.done:
		return nil
	case <-timer.C:
		return errors.New("the last lines of the log could not be written in time")
	}
}

// run writes what is waiting until the queue is closed and empty.
func (q *Queue) run() {
	defer close(q.done)
	var batch []byte
	for {
		var reportFirst, idle, closed bool
		began := time.Now()
		batch, reportFirst = q.next(batch)
		if reportFirst {
			q.report()
		}
		for rest := batch; len(rest) > 0; {
			piece := rest[:pieceOf(rest, q.most)]
			rest = rest[len(piece):]
			if n, err := q.put(piece); err != nil {
				q.mu.Lock()
				q.drop(piece[n:])
				q.mu.Unlock()
			}
		}
		if !reportFirst {
			q.report()
		}
		if idle, closed = q.idle(); idle {
			if closed {
				return
			}
			<-q.wake
		}
		time.Sleep(gathering - time.Since(began)) // not at all where that is over
	}
}

// next returns the lines that are waiting, in exchange for an empty buffer. Where lines were lost because
// there was no room, that was after these; where a write failed, it was before them.
func (q *Queue) next(empty []byte) (batch []byte, reportFirst bool) {
	if cap(empty) > maxKept {
		empty = nil // it was needed for a burst
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.waiting = q.waiting, empty[:0]
	q.reporting, q.lost = q.lost, 0
	return batch, q.failed != nil
}

// idle reports whether there is nothing to do before the next line comes. A write that failed is tried
// again with that line, not in a loop.
func (q *Queue) idle() (idle, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0 && (q.lost == 0 || q.failed != nil), q.closed
}

// report writes the line that says how many were lost. Where that fails, they stay unreported.
func (q *Queue) report() {
	q.mu.Lock()
	lost, notice := q.reporting, q.notice
	q.mu.Unlock()
	if lost == 0 {
		return
	}
	_, err := q.put(notice(lost))
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reporting = 0
	if err != nil {
		q.lost += lost
	}
}

// put writes to the destination, and notes since when and how that went.
func (q *Queue) put(lines []byte) (n int, err error) {
	q.mu.Lock()
	q.since = time.Now()
	q.mu.Unlock()
	if q.torn {
		_, err = q.out.Write([]byte{'\n'})
	}
	if err == nil {
		n, err = q.out.Write(lines)
		q.torn = err != nil && n > 0 && lines[n-1] != '\n'
	}
	q.mu.Lock()
	q.since, q.failed = time.Time{}, err
	q.mu.Unlock()
	return n, err
}

// pieceOf returns how many bytes are written at once: as many whole lines as most has room for, or one that
// is longer.
func pieceOf(lines []byte, most int) int {
	if len(lines) <= most {
		return len(lines)
	}
	if end := bytes.LastIndexByte(lines[:most], '\n'); end >= 0 {
		return end + 1
	}
	if end := bytes.IndexByte(lines, '\n'); end >= 0 {
		return end + 1
	}
	return len(lines)
}

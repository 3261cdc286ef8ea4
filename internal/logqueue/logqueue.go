// Package logqueue writes log lines without ever waiting for their reader: a pipe that is full, or a disk that hangs,
// must not stop the program that logs.
//
//	Write --+--> waiting (lines, 4 MiB) --next--> batch --put--> out
//	        |       ^                               |      (4 KiB a write)
//	        |       +-------- empty buffer ---------+
//	        |                                       |
//	   no room                                 write failed
//	        |                                       |
//	        +----------------> lost <---------------+
//	                            |
//	                        reporting --notice: "N lines were lost here"--> out
//
// Libraries that were tried: zerolog's diode bounds the number of lines and not their bytes, overwrites the oldest, and
// cannot report a write that hangs. At 50 lines a millisecond it makes 1 write and 3 allocations for each line, this
// package 0.1 writes and none (BenchmarkWrite). zap's BufferedWriteSyncer waits when its buffer is full.
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

// Queue is an io.Writer of lines. Write puts a line into memory; one goroutine writes them to the
// destination, in their order. When memory is full or a write fails, lines are dropped and counted, and a
// line reports their number, at the place where they are missing.
type Queue struct {
	out  io.Writer
	most int           // bytes in one write
	wake chan struct{} // has room for one signal that there is work
	done chan struct{} // closed when the last line was written
	torn bool          // the last write ended within a line; only the writing goroutine uses it

	mu        sync.Mutex
	waiting   []byte // whole lines
	highest   int    // the most bytes that were waiting
	closed    bool
	notice    func(lost uint64) []byte
	dropped   uint64    // lines, since the start
	lost      uint64    // dropped lines that no line has reported yet
	reporting uint64    // dropped lines that the next line will report
	failed    error     // why the last write failed; nil when it succeeded
	since     time.Time // when the write in progress began; zero when none is
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

// Notice sets the function that makes the line about lost lines. It must not write to the Queue.
func (q *Queue) Notice(line func(lost uint64) []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.notice = line
}

// Write takes whole lines. It never waits and never fails: a line that has no room is dropped.
func (q *Queue) Write(lines []byte) (int, error) {
	q.mu.Lock()
	// Once a line was dropped, the next ones are dropped too until the writer has caught up: one line reports all of
	// them, at the place where they are missing.
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

// drop counts lines that are lost. The caller holds q.mu.
func (q *Queue) drop(lines []byte) {
	for range bytes.Lines(lines) {
		q.dropped++
		q.lost++
	}
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

// Err returns what is wrong at present: a write that does not end, or lines that are being lost. It is nil
// again when a line has reported the loss.
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
		return fmt.Errorf("a write has not ended for %s, %s; does the program that reads the log hang?", took.Round(time.Second), countLost(lost))
	case q.failed != nil:
		return fmt.Errorf("%s: %w", countLost(lost), q.failed)
	case lost > 0:
		return fmt.Errorf("%s: the program that reads the log is slower than the connector", countLost(lost))
	}
	return nil
}

func countLost(lines uint64) string {
	if lines == 1 {
		return "1 line was lost"
	}
	return fmt.Sprintf("%d lines were lost", lines)
}

// Close writes the lines that are waiting, within limit. Later lines are dropped.
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

// run writes the lines that are waiting until the queue is closed and empty.
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

// next returns the lines that are waiting, in exchange for an empty buffer. Lines that were lost because the
// queue was full belong after these; lines that were lost in a failed write belong before them.
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

// idle reports whether all work is done until the next line comes. A failed write is tried again with that
// line, not in a loop.
func (q *Queue) idle() (idle, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0 && (q.lost == 0 || q.failed != nil), q.closed
}

// report writes the line about lost lines. When that fails, they are reported later.
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

// put writes to the destination, and notes when the write began and how it ended.
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

// pieceOf returns how many bytes are written at once: as many whole lines as most has room for, or one longer line.
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

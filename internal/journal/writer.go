package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/panics"
)

// Stats are what became of the lines, at one time. Recorded is always Written + Lost + Waiting.
type Stats struct {
	Recorded, Written, Lost, Waiting uint64
	// Losing says that lines were lost a short time ago.
	Losing bool
	// Fault is why the database takes no lines at present; nil where it does.
	Fault error
}

// Writer keeps what was decided. No decision waits for it: lines wait in memory until the database takes them. Where there is no
// room, the newest line is lost, and none that was accepted: that one may be in a transaction already, and would be counted twice.
type Writer struct {
	store     Store
	retention time.Duration
	watcher   Watcher
	encode    func(*audit.Event) (Entry, error)
	wake      chan struct{}     // has room for one signal that there is work
	events    chan *audit.Event // recorded, and not encoded yet
	toldFault string            // the last one that the watcher got; only Run uses it

	mu      sync.Mutex
	queue   queue
	writing struct{ lines, bytes int } // of the batch that is being written
	fault   error                      // why the last write failed
	closed  bool
	losing  losing

	encoding                uint64 // lines that are no entries yet
	recorded, written, lost uint64
}

// NewWriter makes a Writer that deletes what is older than retention. Run writes.
func NewWriter(store Store, retention time.Duration, watcher Watcher) *Writer {
	return &Writer{store: store, retention: retention, watcher: watcher, encode: NewEncoder().Entry, wake: make(chan struct{}, 1), events: make(chan *audit.Event, maxEvents)}
}

// Record takes what was decided. It never waits for the database and never panics: no answer depends on the journal. What is no
// line of the audit log is none here: requests that were not authenticated, and answers that repeat an earlier one.
func (w *Writer) Record(e *audit.Event) {
	if !e.Authenticated || e.Repeats {
		return
	}
	// HTTP/2 ends an answer only after its handler has returned, so the encoding is left to Run.
	if !w.accept(e) {
		w.enqueue(e)
	}
}

// accept counts an event, and leaves it to Run. It returns false where Run is behind: then the caller encodes, which bounds what
// waits here.
func (w *Writer) accept(e *audit.Event) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recorded++
	if w.queue.lines+w.writing.lines+int(w.encoding) >= maxWaiting { //nolint:gosec // G115: a count
		w.lose(NoRoom, 1)
		w.signal()
		return true
	}
	w.encoding++
	if w.closed {
		return false
	}
	select {
	case w.events <- e:
		return true
	default:
		return false
	}
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // the last signal has not been received yet
	}
}

// lose counts lines that are lost. The caller holds w.mu.
func (w *Writer) lose(why Loss, lines uint64) {
	w.lost += lines
	w.losing.add(why, lines)
}

// hasNews reports whether losses have begun that the watcher does not know of. The caller holds w.mu.
func (w *Writer) hasNews() bool { return w.losing.lines != nil && !w.losing.told }

// Stats returns what became of the lines.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{
		Recorded: w.recorded, Written: w.written, Lost: w.lost, Waiting: w.encoding + uint64(w.queue.lines+w.writing.lines), //nolint:gosec // G115: a count
		Losing: w.losing.lines != nil, Fault: w.fault,
	}
}

// Run writes until ctx is done, and then what waits, within lastBatches. Afterwards nothing waits: what was not written is lost.
func (w *Writer) Run(ctx context.Context) {
	working, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastBatches, end) })()
	var expiry sync.WaitGroup
	defer expiry.Wait()
	expiry.Go(func() { w.expireOften(ctx) })
	var encoder sync.WaitGroup
	encoder.Go(func() { w.encodeAll(ctx) })
	for ctx.Err() == nil {
		w.idle(ctx)
		w.gather(ctx)
		w.writeNext(working)
		w.reportLosses(false)
	}
	encoder.Wait()
	for more := true; more && working.Err() == nil; {
		w.encodeRest()
		more = w.writeNext(working)
	}
	w.close()
	w.encodeRest() // it is lost now, and counted
	w.reportLosses(true)
}

// close makes all that waits lost, and all that comes.
func (w *Writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if rest := w.queue.clear(); rest > 0 {
		w.lose(NotWritten, uint64(rest))
	}
}

// idle waits until there is something to do.
func (w *Writer) idle(ctx context.Context) {
	w.mu.Lock()
	work, losing := w.queue.lines > 0 || w.hasNews(), w.losing.lines != nil
	w.mu.Unlock()
	if work {
		return
	}
	var over <-chan time.Time
	if losing {
		over = time.After(lossOver)
	}
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-over:
	}
}

// gather waits for more lines while there is not a whole batch.
func (w *Writer) gather(ctx context.Context) {
	timer := time.NewTimer(gathering)
	defer timer.Stop()
	for {
		w.mu.Lock()
		enough := w.queue.lines == 0 || w.queue.hasWhole()
		w.mu.Unlock()
		if enough {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-w.wake:
		}
	}
}

// writeNext writes the oldest batch; it returns false where nothing waits.
func (w *Writer) writeNext(working context.Context) bool {
	w.mu.Lock()
	next := w.queue.take()
	w.writing.lines, w.writing.bytes = len(next.entries), next.bytes
	w.mu.Unlock()
	if len(next.entries) == 0 {
		return false
	}
	w.write(working, next.entries, 0)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue.giveBack(next)
	return true
}

// write writes entries, and tries again until the database has taken them: an outage may last for hours. What a database refuses
// that answers would stop all that comes after it, for ever. So it is divided until the line is found, and that one is lost.
func (w *Writer) write(working context.Context, entries []Entry, refusals int) {
	for {
		err := w.append(working, entries)
		isRefusal := errors.Is(err, ErrRefused)
		if isRefusal {
			refusals++
		}
		switch {
		case err == nil:
			w.done(entries, "")
			w.reportFault(nil)
			return
		case working.Err() != nil:
			w.done(entries, NotWritten)
			return
		case isRefusal && refusals >= maxRefusals && len(entries) == 1:
			w.done(entries, Refused)
			return
		case isRefusal && refusals >= maxRefusals:
			half := len(entries) / 2 //nolint:mnd // halves
			w.write(working, entries[:half], maxRefusals-1)
			w.write(working, entries[half:], maxRefusals-1)
			return
		}
		w.reportFault(err)
		w.reportLosses(false)
		wait(working, retryEvery)
	}
}

// append is Store.Append. A panic there must not end the daemon.
func (w *Writer) append(ctx context.Context, entries []Entry) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %s: %w", panics.Describe(cause), ErrRefused)
		}
	}()
	return w.store.Append(ctx, entries)
}

// done counts entries that were written, or, with a cause, lost.
func (w *Writer) done(entries []Entry, why Loss) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing.lines -= len(entries)
	w.writing.bytes -= sizeOfAll(entries)
	if why == "" {
		w.written += uint64(len(entries))
	} else {
		w.lose(why, uint64(len(entries)))
	}
}

// wait reports whether the time has passed before ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

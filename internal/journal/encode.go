package journal

import (
	"context"
	"fmt"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/panics"
)

// encodeAll encodes until ctx is done.
func (w *Writer) encodeAll(ctx context.Context) {
	for {
		select {
		case e := <-w.events:
			w.enqueue(e)
		case <-ctx.Done():
			return
		}
	}
}

// encodeRest encodes what waits for it now.
func (w *Writer) encodeRest() {
	for {
		select {
		case e := <-w.events:
			w.enqueue(e)
		default:
			return
		}
	}
}

// enqueue makes an event that was counted a line that waits, or is lost.
func (w *Writer) enqueue(e *audit.Event) {
	entry, err := w.entry(e)
	w.mu.Lock()
	w.encoding--
	switch {
	case err != nil:
		w.lose(Unencoded, 1)
	case w.closed:
		w.lose(NotWritten, 1)
	case !w.queue.put(entry, maxWaiting-w.writing.lines, maxWaitingBytes-w.writing.bytes):
		w.lose(NoRoom, 1)
	}
	signal := w.queue.lines == 1 || w.queue.hasWhole() || w.hasNews()
	w.mu.Unlock()
	if signal {
		w.signal()
	}
}

func (w *Writer) entry(e *audit.Event) (entry Entry, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %s", panics.Describe(cause))
		}
	}()
	return w.encode(e)
}

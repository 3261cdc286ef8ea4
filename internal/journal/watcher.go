package journal

import "time"

// Watcher is told of changes. Expired is called by another goroutine than the rest.
type Watcher interface {
	// Taken gets why the database takes no lines, once where that begins or becomes another cause, and nil once where it is over.
	Taken(err error)
	// Losing says that lines begin to be lost. Lost gets their number where that is over.
	Losing(why Loss)
	Lost(lines Losses)
	// Expired gets the outcome of each deletion of old lines.
	Expired(err error)
}

// Loss is why lines are lost.
type Loss string

// The causes.
const (
	NoRoom     Loss = "there is no room for more until the database takes them"
	Refused    Loss = "the database refuses them"
	Unencoded  Loss = "they cannot be encoded"
	NotWritten Loss = "the daemon ended before they were written"
)

// Losses are how many lines were lost, by their cause.
type Losses map[Loss]uint64

// Total is the number of all.
func (l Losses) Total() (all uint64) {
	for _, n := range l {
		all += n
	}
	return all
}

// losing are the lines that are being lost. One log line tells of many: where it begins, and where it is over.
type losing struct {
	lines Losses // nil where nothing is being lost
	first Loss
	last  time.Time
	told  bool // that it begins
}

func (l *losing) add(why Loss, lines uint64) {
	if l.lines == nil {
		l.lines, l.first = Losses{}, why
	}
	l.lines[why] += lines
	l.last = time.Now()
}

// reportLosses tells the watcher where losses begin and are over: nothing was lost for lossOver, and there is room again.
func (w *Writer) reportLosses(atEnd bool) {
	w.mu.Lock()
	begins, over := Loss(""), Losses(nil)
	if l := &w.losing; l.lines != nil {
		if !l.told {
			begins, l.told = l.first, true
		}
		hasRoom := w.queue.lines+w.writing.lines <= maxWaiting/2 && w.queue.bytes+w.writing.bytes <= maxWaitingBytes/2
		if atEnd || hasRoom && time.Since(l.last) >= lossOver {
			over, w.losing = l.lines, losing{}
		}
	}
	w.mu.Unlock()
	if begins != "" {
		w.watcher.Losing(begins)
	}
	if over != nil {
		w.watcher.Lost(over)
	}
}

// reportFault notes why the database takes no lines; nil where it does.
func (w *Writer) reportFault(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	w.mu.Lock()
	w.fault = err
	w.mu.Unlock()
	if text != w.toldFault {
		w.toldFault = text
		w.watcher.Taken(err)
	}
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/health"
	"step-posture-connector/internal/journal"
)

// The names of the journal among what can be wrong: the database does not take its lines, or old ones cannot be deleted.
const (
	journalCheck  = "journal"
	journalExpiry = "journal expiry"
)

// openJournal makes the journal of a database that openState has opened.
func (s *service) openJournal() {
	if s.config.Journal {
		s.journal = journal.NewWriter(s.database.Journal(), time.Duration(s.config.JournalRetention), journalWatcher{s})
	}
}

// keepJournal writes the journal until ctx is done; await waits then until the last lines are written.
func (s *service) keepJournal(ctx context.Context) (await func()) {
	if s.journal == nil {
		return func() {}
	}
	ended := make(chan struct{})
	go func() { defer close(ended); s.journal.Run(ctx) }()
	return func() {
		select {
		case <-ended:
		case <-time.After(journalEnd):
			s.log.Errorf("journal: its last %s could not be written: the state database hangs", countLines(s.journal.Stats().Waiting))
		}
	}
}

// journalWatcher logs what changes.
type journalWatcher struct{ s *service }

// Taken implements journal.Watcher.
func (w journalWatcher) Taken(err error) {
	before := w.s.state.get(journalCheck)
	w.s.state.set(journalCheck, err)
	switch now := w.s.state.get(journalCheck); {
	case now != "" && before == "": // one outage may have several causes
		w.s.log.Errorf("journal: %s; decisions wait in memory, and are answered as ever", now)
	case now == "" && before != "":
		w.s.log.Info("journal: the state database takes decisions again")
	}
}

// Losing implements journal.Watcher.
func (w journalWatcher) Losing(why journal.Loss) {
	w.s.log.Errorf("journal: decisions are being lost, and are in the audit log only: %s", why)
}

// Lost implements journal.Watcher.
func (w journalWatcher) Lost(lines journal.Losses) {
	for _, why := range []journal.Loss{journal.NoRoom, journal.Refused, journal.Unencoded, journal.NotWritten} {
		if n := lines[why]; n > 0 {
			w.s.log.Errorf("journal: %s lost: %s", countLines(n), why)
		}
	}
}

// Expired implements journal.Watcher. An outage is reported by other lines.
func (w journalWatcher) Expired(err error) {
	if errors.Is(err, journal.ErrOutage) {
		return
	}
	if err != nil {
		err = fmt.Errorf("old decisions cannot be deleted: %w", err)
	}
	w.s.noteState(journalExpiry, err, "new ones are written as ever")
}

func countLines(n uint64) string {
	if n == 1 {
		return "1 decision"
	}
	return fmt.Sprintf("%d decisions", n)
}

// checkJournal reports that decisions do not reach the database. No answer depends on it, so that is never more than degraded.
func (s *service) checkJournal() (health.Status, string) {
	stats := s.journal.Stats()
	switch {
	case stats.Losing:
		text := fmt.Sprintf("decisions are being lost, %d since the start; they are in the audit log only", stats.Lost)
		if wrong := s.state.get(journalCheck); wrong != "" {
			text += ": " + wrong
		}
		return health.Degraded, text
	case stats.Fault != nil:
		return health.Degraded, fmt.Sprintf("%s in memory: %s", waiting(stats.Waiting), s.state.get(journalCheck))
	}
	return degraded(s.state.get(journalExpiry), "%s")
}

func waiting(n uint64) string {
	if n == 1 {
		return "1 decision waits"
	}
	return countLines(n) + " wait"
}

// journalWarnings are what is accepted and probably not meant.
func journalWarnings(c config.Config, variables map[string]string) []string {
	if variables["JOURNAL_RETENTION"] != "" && !bool(c.Journal) {
		return []string{"JOURNAL_RETENTION is set but JOURNAL is not 1: nothing is kept in a journal"}
	}
	return nil
}

// describeJournal says whether there is a journal, and how long it is kept.
func (d *Daemon) describeJournal() []string {
	if !d.config.Journal {
		return nil
	}
	return []string{"journal: decisions are kept for " + inDays(time.Duration(d.config.JournalRetention)) + ", with facts"}
}

// inDays is a duration as JOURNAL_RETENTION may be written.
func inDays(d time.Duration) string {
	if hours := int64(d / time.Hour); d%time.Hour == 0 && hours%24 == 0 {
		return strconv.FormatInt(hours/24, 10) + "d" //nolint:mnd // hours of a day
	}
	return d.String()
}

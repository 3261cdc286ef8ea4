package daemon

import (
	"context"
	"time"

	"step-posture-connector/internal/health"
)

// checkLists is what /readyz reports about revocation lists. One that should have been replaced goes on counting, but lacks
// what was revoked since.
func (s *service) checkLists() (health.Status, string) {
	return degraded(s.tls.Overdue(s.now()), "%s; it goes on counting: fetch the present one")
}

// watchLists logs that revocation lists should have been replaced, until ctx is done.
func (s *service) watchLists(ctx context.Context) {
	ticker := time.NewTicker(overdueEvery)
	defer ticker.Stop()
	// The line at start was among the warnings.
	report := overdueReport{log: func(line string) { s.log.Warn(line) }, last: s.tls.Overdue(s.now()), at: s.now()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			report.note(s.tls.Overdue(s.now()), s.now())
		}
	}
}

// overdueReport logs the same about revocation lists once in reportAgain.
type overdueReport struct {
	log  func(line string)
	last string
	at   time.Time
}

func (r *overdueReport) note(overdue string, now time.Time) {
	// A clock that was set back must not silence the line.
	since := now.Sub(r.at)
	if overdue == "" || overdue == r.last && since >= 0 && since < reportAgain {
		if overdue == "" {
			r.last = ""
		}
		return
	}
	r.last, r.at = overdue, now
	r.log("TLS_CRL_PATH: " + overdue + "; it goes on counting, but lacks what was revoked since: fetch the present one")
}

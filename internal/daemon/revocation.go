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

// checkDeviceLists is checkLists for the lists of devices' certificates.
func (s *service) checkDeviceLists() (health.Status, string) {
	return degraded(s.overdueOfDevices(), "doors.crl: %s; it goes on counting: fetch the present one")
}

func (s *service) overdueOfDevices() string { return s.live.Load().deviceLists().Overdue(s.now()) }

// watchLists logs that revocation lists should have been replaced, until ctx is done.
func (s *service) watchLists(ctx context.Context) {
	ticker := time.NewTicker(overdueEvery)
	defer ticker.Stop()
	// The lines at start were among the warnings.
	warn := func(line string) { s.log.Warn(line) }
	report := overdueReport{setting: "TLS_CRL_PATH", log: warn, last: s.tls.Overdue(s.now()), at: s.now()}
	ofDevices := overdueReport{setting: "doors.crl", log: warn, last: s.overdueOfDevices(), at: s.now()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			report.note(s.tls.Overdue(s.now()), s.now())
			ofDevices.note(s.overdueOfDevices(), s.now())
		}
	}
}

// overdueReport logs the same about revocation lists once in reportAgain.
type overdueReport struct {
	setting string // where the path of the file is
	log     func(line string)
	last    string
	at      time.Time
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
	r.log(r.setting + ": " + overdue + "; it goes on counting, but lacks what was revoked since: fetch the present one")
}

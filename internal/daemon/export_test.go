package daemon

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/console"
	metricsof "step-posture-connector/internal/metrics"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/snapshot"
)

// BindAdvice says what to do about a port that cannot be opened.
func BindAdvice(err error) string { return bindAdvice(err, "otherwise") }

// SetClock replaces the clock.
func (d *Daemon) SetClock(now func() time.Time) { d.now = now }

// Vocabulary has the names that the connector knows.
func Vocabulary() config.Vocabulary { return vocabulary() }

// Reloader returns what a daemon does when the policy file has changed, and been quiet for long enough; and its metrics and
// webhooks. The daemon listens nowhere.
func (d *Daemon) Reloader() (reload func() error, metrics, webhooks http.Handler) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	s := &service{Daemon: d, log: log, events: audit.NewLog(io.Discard, false)}
	s.live.Store(d.current)
	s.state.follow(d.current)
	s.metrics = s.newMetrics(metricsof.Build{})
	s.webhooks = s.handler()
	s.newDoors()
	for _, i := range d.current.inventories {
		s.keepInventory(i)
	}
	return func() error {
		apply, err := s.loadPolicies()
		if apply != nil {
			apply()
		}
		return err
	}, s.metrics.Handler(), s.webhooks
}

// ConsoleLive returns what the console may know of a daemon that listens nowhere, what reloads its policy file, and what notes the
// outcome of an inventory's last lookup.
func (d *Daemon) ConsoleLive() (live console.Live, reload func() error, noted func(inventory string, err error)) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	s := &service{Daemon: d, log: log, events: audit.NewLog(io.Discard, false)}
	s.live.Store(d.current)
	s.state.follow(d.current)
	s.metrics = s.newMetrics(metricsof.Build{})
	s.webhooks = s.handler()
	s.newDoors()
	return s.consoleLive(), func() error {
		apply, err := s.loadPolicies()
		if apply != nil {
			apply()
		}
		return err
	}, s.state.setLookup
}

// Reports returns what takes the reports of a keeper; the lines that are logged go to log.
func Reports(log func(snapshot.Report)) (report func(snapshot.Report), kept func() []string, follow func()) {
	r := &copyReports{}
	return r.report, r.take, func() { r.follow(log) }
}

// WrongWith says what is wrong with a list of a snapshot.
func WrongWith(list snapshot.Status) string { return wrongWith(list) }

// UselessCopies are the warnings about a policy whose only inventory has a snapshot, and which reads these facts.
func UselessCopies(of interface {
	posture.Provider
	posture.Lister
}, reads, required posture.FactSet,
) []string {
	i := &inventory{Inventory: provider.Inventory{Name: "mdm", Provider: of, Snapshot: &snapshot.Settings{Every: time.Hour, MaxAge: 2 * time.Hour}}}
	if problems := i.keep(false); len(problems) > 0 {
		return strings.Split(problems.Error(), "\n")
	}
	source := posture.Source{Name: "mdm", Provider: of, Facts: reads, Required: required, Recorded: posture.AllFacts()}
	g := &generation{inventories: []*inventory{i}, gates: map[string]*posture.Gate{"staff": {Join: posture.Join{Inventories: []posture.Source{source}}}}}
	return g.uselessCopies()
}

// OverdueReport is how lines about overdue revocation lists are written.
func OverdueReport(log func(line string)) func(overdue string, now time.Time) {
	r := &overdueReport{setting: "TLS_CRL_PATH", log: log}
	return r.note
}

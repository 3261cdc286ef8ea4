package daemon

import (
	"io"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/config"
	metricsof "step-posture-connector/internal/metrics"
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

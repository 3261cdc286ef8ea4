package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/compat"
	"step-posture-connector/internal/console/access"
	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/health"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/logqueue"
	"step-posture-connector/internal/metrics"
	"step-posture-connector/internal/server"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/systemd"
	"step-posture-connector/internal/tokenapi"
	"step-posture-connector/internal/webhook"
)

// Process has the values that the daemon needs from its process.
type Process struct {
	Build metrics.Build
	// Reloads requests with each signal to reload all files and to reopen the audit log.
	Reloads <-chan os.Signal
}

// service is the running daemon.
type service struct {
	*Daemon
	log     *logrus.Logger
	queue   *logqueue.Queue // the destination of log and events
	events  *audit.Log
	trail   *audit.Trail // nil without AUDIT_LOG_PATH
	metrics *metrics.Metrics
	state   state

	live     atomic.Pointer[generation] // the one in effect
	keepers  sync.WaitGroup             // of copies, and of the state database, while they run
	webhooks *webhook.Handler

	database *store.DB // nil without a state database, as tokens
	tokens   *enroll.Tokens
	journal  *journal.Writer   // nil without JOURNAL
	api      *tokenapi.Handler // route asks it only where the API exists
	demo     *compat.Handler   // nil without COMPAT_MDMSECURITYDEMO
	doors    *doors.Handler    // asked at DOOR_ADDRESS alone
	guard    *access.Guard     // nil without a console
}

// Serve answers webhook calls until ctx is done; server.Server describes the shutdown. It logs to out, and never waits for
// the reader of the log. The error that it returns has been logged.
func (d *Daemon) Serve(ctx context.Context, out io.Writer, process Process) error {
	queue := logqueue.New(out)
	defer queue.Close(lastLines)
	err := d.serve(ctx, queue, process)
	if err != nil {
		_, _ = fmt.Fprintln(queue, err)
	}
	return err
}

func (d *Daemon) serve(ctx context.Context, queue *logqueue.Queue, process Process) error {
	log := d.Logger(queue)
	queue.Notice(func(lost uint64) []byte { return lostLines(log, lost) })
	s := &service{Daemon: d, log: log, queue: queue, events: audit.NewLog(queue, d.json())}
	s.live.Store(d.current)
	s.state.follow(d.current)
	for _, i := range d.current.inventories {
		s.traceProvider(i)
	}
	found, err := d.Check(ctx)
	if ctx.Err() != nil {
		return nil // shut down before it listened
	}
	if d.StopsStart(err) {
		return err
	}
	if err != nil {
		// Any other error may be over when the first device comes.
		s.unanswered(err)
	}
	closeTrail, err := s.openTrail()
	if err != nil {
		return err
	}
	defer closeTrail()
	closeState, err := s.openState(ctx)
	if err != nil {
		return err
	}
	defer closeState()
	s.openJournal()
	s.metrics = s.newMetrics(process.Build)
	s.webhooks = s.handler()
	s.newAPI()
	s.newDemo()
	s.newDoors()
	s.newConsole(process.Build.Version)
	ports, err := s.listen(ctx)
	if err != nil {
		return err
	}
	errorLog := log.WriterLevel(logrus.DebugLevel)
	defer errorLog.Close()
	webhookServer := server.New(http.HandlerFunc(s.route), d.tls, s.connectionLimit(), errorLog)
	webhookServer.Notify(func(line string) { s.log.Warn(line) })
	s.metrics.Connections(webhookServer.Connections, webhookServer.Evicted, webhookServer.Refused)
	s.metrics.Handshakes(server.HandshakeCauses(), webhookServer.FailedHandshakes)
	s.metrics.Revocations(d.tls.NextUpdate, d.tls.Revoked, webhookServer.RevokedRequests)
	s.metrics.Log(queue.Dropped, queue.Highest)
	doorServer := s.doorServer(errorLog)
	consoleServer := s.consoleServer(errorLog)
	checks := s.checks()
	for _, c := range checks {
		s.metrics.Check(c.Name, func() bool { status, _ := c.Probe(); return status == health.OK })
	}
	healthHandler := health.New(checks, s.metrics.Handler())

	// Not the context that shuts the daemon down: background work stops after the requests.
	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	endJournal := s.keepJournal(background)
	defer func() {
		endBackground()
		endJournal()
		s.awaitKeepers()
	}()
	if ports.health != nil {
		go s.serveHealth(background, server.New(healthHandler, nil, healthConnections, errorLog), ports.health)
	}
	s.keepers.Go(func() { s.keepState(background) })
	go systemd.Watch(background)
	go s.watchLists(background)
	go s.logHeads(background)
	s.keepCopies(background)
	s.announce(append(d.Describe(), s.answers(found)...), ports)
	s.notify(systemd.Ready)
	go s.keepUpToDate(background, process.Reloads) // not before: a reload reports that it is ready again

	// Readiness fails before the listener closes.
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	defer context.AfterFunc(ctx, func() {
		healthHandler.ShutDown()
		s.notify(systemd.Stopping)
		endServing()
	})()
	answered := s.serveBeside(serving, "API_ADDRESS", s.apiServer(errorLog), ports.api)
	answeredDoors := s.serveBeside(serving, "DOOR_ADDRESS", doorServer, ports.doors)
	answeredConsole := s.serveBeside(serving, "CONSOLE_ADDRESS", consoleServer, ports.console)
	err = webhookServer.Serve(serving, s.traceConnections(ports.webhooks))
	endServing() // also where this listener has failed
	answered()
	answeredDoors()
	answeredConsole()
	if err != nil {
		return err
	}
	log.Info("stopped; every request was answered")
	return nil
}

// unanswered records that the inventory gave no answer, or an error, at start.
func (s *service) unanswered(err error) {
	if s.current.file == nil {
		s.state.set(lastLookup, fmt.Errorf("at start, %w", err))
	} else {
		s.noteChecks("at start", err)
	}
	s.Warnings = append(s.Warnings, fmt.Sprintf("%s; the daemon starts anyway: failed lookups are answered with 503, and no restart is needed once this is fixed", oneLine(err)))
}

// connectionLimit is how many connections are accepted at once.
func (s *service) connectionLimit() int {
	wanted := int(s.config.MaxConnections)
	limit := server.ConnectionLimit(wanted, reservedFiles)
	if limit < wanted {
		s.Warnings = append(s.Warnings, fmt.Sprintf("MAX_CONNECTIONS is %d, but the limit of open files allows only %d; raise it (ulimit -n, LimitNOFILE)", wanted, limit))
	}
	return limit
}

func (s *service) serveHealth(ctx context.Context, healthServer *server.Server, listener net.Listener) {
	if err := healthServer.Serve(ctx, listener); err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		s.log.Errorf("the health listener failed: %v; webhook calls are still answered", err)
	}
}

func (s *service) handler() *webhook.Handler {
	h := &webhook.Handler{
		Tolerance: s.config.TimestampTolerance.Seconds(),
		Now:       s.now,
		Audit:     s.audit,
		Record:    s.record,
		Trust:     server.Trust,
		Tokens:    s.tokens,
	}
	h.Use(s.webhookHooks(s.current))
	return h
}

// answers adds to what inventories have answered at start those that have not.
func (s *service) answers(found []string) []string {
	for _, i := range s.current.inventories {
		if !slices.ContainsFunc(found, func(line string) bool { return line == i.title() || strings.HasPrefix(line, i.title()+": ") }) {
			found = append(found, i.title()+": no answer yet")
		}
	}
	return found
}

func (s *service) record(e *audit.Event) {
	if !e.Repeats || s.config.LoggingLevel > 0 { // a page of a web site asks many times
		s.events.Write(e)
	}
	s.metrics.Observe(e)
	s.state.observed(e)
	if s.journal != nil {
		s.journal.Record(e)
	}
}

// notify reports a state to the service manager, if the daemon has one.
func (s *service) notify(notify func() error) {
	if err := notify(); err != nil {
		s.log.Warnf("notifying systemd failed: %v", err)
	}
}

// announce logs at start what an operator should verify.
func (s *service) announce(facts []string, ports listeners) {
	for _, warning := range s.Warnings {
		s.log.Warn(warning)
	}
	for _, fact := range facts {
		s.log.Info(fact)
	}
	if timeout := s.config.Timeout.Seconds(); s.timeoutWanted && timeout >= webhook.Budget {
		s.log.Infof("TIMEOUT is %s, but every request is answered within %s, because step-ca waits no longer than 10s", timeout, webhook.Budget)
	}
	if ports.api != nil {
		s.log.Infof("the API without TLS on http://%s", ports.api.Addr())
	}
	if ports.doors != nil {
		s.log.Infof("doors on %s", ports.doors.Addr())
	}
	if ports.console != nil {
		s.log.Infof("console on %s", s.consoleURL(ports.console.Addr().String()))
	}
	if ports.health != nil {
		s.log.Infof("health and metrics on http://%s", ports.health.Addr())
	}
	s.log.Infof("listening on %s", ports.webhooks.Addr())
}

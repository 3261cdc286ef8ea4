package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/health"
	"step-posture-connector/internal/logqueue"
	"step-posture-connector/internal/metrics"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/server"
	"step-posture-connector/internal/systemd"
	"step-posture-connector/internal/webhook"
)

// healthConnections is how many connections the health listener holds.
const healthConnections = 64

// reservedFiles is how many files the daemon needs beside the connections of callers: those of the health
// listener, and those to the inventory, with logs, certificate and inventory files and what watches them.
const reservedFiles = healthConnections + 96

// lastLines is how long the last lines of the log may take to be written.
const lastLines = time.Second

// Process is what the daemon needs of the process that it runs in.
type Process struct {
	Build metrics.Build
	// Reloads asks, with each signal, to reload all files and to reopen the audit log.
	Reloads <-chan os.Signal
}

// service is the running daemon.
type service struct {
	*Daemon
	log     *logrus.Logger
	queue   *logqueue.Queue // where log and events write to
	events  *audit.Log
	trail   *audit.Trail // nil without AUDIT_LOG_PATH
	metrics *metrics.Metrics
	state   state
}

// Serve answers webhook calls until ctx is done; see server.Server for how it ends. It logs to out, and
// never waits for whoever reads that. The error that it returns was logged.
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
	s.traceProvider()
	found, err := d.Check(ctx)
	if ctx.Err() != nil {
		return nil // told to end before it began
	}
	if errors.Is(err, posture.ErrCredentials) {
		return err
	}
	if err != nil {
		// Whatever else is wrong may be over when the first device comes.
		s.unanswered(err)
	}
	if d.config.AuditLogPath != "" {
		trail, cut, err := audit.OpenTrail(string(d.config.AuditLogPath))
		if err != nil {
			return fmt.Errorf("configuration:\n%w", auditProblem(d.config.AuditLogPath, err))
		}
		defer trail.Close()
		s.trail = trail
		s.logCut(cut)
	}
	s.metrics = s.newMetrics(process.Build)
	listener, healthListener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	errorLog := log.WriterLevel(logrus.DebugLevel)
	defer errorLog.Close()
	webhookServer := server.New(s.handler(), d.tls, s.connectionLimit(), errorLog)
	webhookServer.Notify(func(line string) { s.log.Warn(line) })
	s.metrics.Connections(webhookServer.Connections, webhookServer.Evicted, webhookServer.Refused)
	s.metrics.Handshakes(server.HandshakeCauses(), webhookServer.FailedHandshakes)
	s.metrics.Log(queue.Dropped, queue.Highest)
	checks := s.checks()
	for _, c := range checks {
		s.metrics.Check(c.Name, func() bool { status, _ := c.Probe(); return status == health.OK })
	}
	healthHandler := health.New(checks, s.metrics.Handler())

	// Not the context that ends the daemon: what stands background the requests ends after them.
	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer endBackground()
	if healthListener != nil {
		go s.serveHealth(background, server.New(healthHandler, nil, healthConnections, errorLog), healthListener)
	}
	go systemd.Watch(background)
	s.announce(append(d.Describe(), cmp.Or(found, "provider "+d.decider.Name+": no answer yet")), listener.Addr(), healthListener)
	s.notify(systemd.Ready)
	go s.keepUpToDate(background, process.Reloads) // not before: a reload reports that it is ready again

	// Readiness fails first, then the listener closes.
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	defer context.AfterFunc(ctx, func() {
		healthHandler.ShutDown()
		s.notify(systemd.Stopping)
		endServing()
	})()
	if err := webhookServer.Serve(serving, s.traceConnections(listener)); err != nil {
		return err
	}
	log.Info("stopped; every request was answered")
	return nil
}

// unanswered notes that the inventory did not answer as it should when it was contacted at start.
func (s *service) unanswered(err error) {
	s.state.set(lastLookup, fmt.Errorf("at start, %w", err))
	s.Warnings = append(s.Warnings, fmt.Sprintf("%s; the daemon runs all the same: lookups that fail are answered with 503, and no restart is needed when this is fixed", oneLine(err)))
}

// lostLines is the line that reports how many lines of the log were lost.
func lostLines(log *logrus.Logger, lost uint64) []byte {
	entry := logrus.NewEntry(log)
	entry.Time, entry.Level = time.Now(), logrus.WarnLevel
	entry.Message = fmt.Sprintf("%d lines of the log were lost here, because they could not be written", lost)
	line, err := log.Formatter.Format(entry)
	if err != nil {
		return []byte(entry.Message + "\n")
	}
	return line
}

// listen opens both ports. The health listener is nil where there is none.
func (s *service) listen(ctx context.Context) (webhooks, health net.Listener, err error) {
	address := net.JoinHostPort(string(s.config.BindAddress), strconv.Itoa(int(s.config.Port)))
	webhooks, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("BIND_ADDRESS, PORT: %w; %s", err, bindAdvice(err, "set them to an address of this machine and a port that is free"))
	}
	if s.config.HealthAddress.Off() {
		return webhooks, nil, nil
	}
	health, err = (&net.ListenConfig{}).Listen(ctx, "tcp", string(s.config.HealthAddress))
	switch {
	case err == nil:
		return webhooks, health, nil
	case !s.healthWanted && errors.Is(err, syscall.EADDRINUSE):
		// Nobody asked for it: that another program has the port, maybe a second connector, is no
		// reason to decide nothing.
		s.Warnings = append(s.Warnings, fmt.Sprintf("HEALTH_ADDRESS: %v; there will be no health checks and no metrics; set it to another address, or to off", err))
		return webhooks, nil, nil
	default:
		_ = webhooks.Close()
		return nil, nil, fmt.Errorf("HEALTH_ADDRESS: %w; %s", err, bindAdvice(err, "set it to another address, or to off"))
	}
}

// bindAdvice says what to do about a port that cannot be opened.
func bindAdvice(err error, otherwise string) string {
	if errors.Is(err, fs.ErrPermission) {
		return "ports below 1024 need a privilege: choose one above 1023, or give the program CAP_NET_BIND_SERVICE"
	}
	return otherwise
}

// connectionLimit is how many connections are held.
func (s *service) connectionLimit() int {
	wanted := int(s.config.MaxConnections)
	limit := server.Affordable(wanted, reservedFiles)
	if limit < wanted {
		s.Warnings = append(s.Warnings, fmt.Sprintf("MAX_CONNECTIONS is %d, but the process may open so few files that only %d are held; raise the limit of open files", wanted, limit))
	}
	return limit
}

func (s *service) serveHealth(ctx context.Context, healthServer *server.Server, listener net.Listener) {
	if err := healthServer.Serve(ctx, listener); err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		s.log.Errorf("the health listener has ended: %v; webhook calls are answered all the same", err)
	}
}

func (s *service) handler() *webhook.Handler {
	secrets := s.config.WebhookSecrets.List()
	hooks := make([]webhook.Webhook, len(secrets))
	for i, id := range s.config.WebhookIDs {
		hooks[i] = webhook.Webhook{ID: id, Secret: secrets[i].Reveal()}
	}
	return &webhook.Handler{
		Authenticator: webhook.NewAuthenticator(hooks),
		Decider:       s.decider,
		Tolerance:     s.config.TimestampTolerance.Seconds(),
		Now:           s.now,
		Audit:         s.audit,
		Record:        s.record,
		Trust:         server.Trust,
	}
}

func (s *service) newMetrics(build metrics.Build) *metrics.Metrics {
	var codes []string
	for _, code := range webhook.Codes() {
		codes = append(codes, string(code))
	}
	m := metrics.New(build, s.decider.Name, codes, []string{tlsFiles, inventoryFiles, auditFile})
	m.Certificate(s.tls.Leaf)
	if collector, ok := s.decider.Provider.(prometheus.Collector); ok {
		m.Register(collector)
	}
	return m
}

// audit puts an event on record. What cannot be written is told, and the decision stands: it is in the log.
func (s *service) audit(e *audit.Event) {
	if s.trail == nil {
		return
	}
	err := s.trail.Append(e)
	s.metrics.AuditWritten(err)
	s.state.set(auditLine, err)
	if err != nil {
		s.log.WithField(audit.KeyReference, e.Reference).Errorf("AUDIT_LOG_PATH: this decision is not in the audit log: %v", err)
	}
}

func (s *service) record(e *audit.Event) {
	s.events.Write(e)
	s.metrics.Observe(e)
	s.state.observed(e)
}

// notify tells the service manager how it stands, where there is one that wants to know.
func (s *service) notify(notify func() error) {
	if err := notify(); err != nil {
		s.log.Warnf("notifying systemd failed: %v", err)
	}
}

// announce says at start what an operator wants to be sure of.
func (s *service) announce(facts []string, address net.Addr, health net.Listener) {
	for _, warning := range s.Warnings {
		s.log.Warn(warning)
	}
	for _, fact := range facts {
		s.log.Info(fact)
	}
	if timeout := s.config.Timeout.Seconds(); s.timeoutWanted && timeout >= webhook.Budget {
		s.log.Infof("TIMEOUT is %s, but every request is answered within %s, because step-ca waits no longer than 10s", timeout, webhook.Budget)
	}
	if health != nil {
		s.log.Infof("health and metrics on http://%s", health.Addr())
	}
	s.log.Infof("listening on %s", address)
}

// Package daemon puts the parts together: configuration, TLS, the provider, the webhook handler.
package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/server"
	"step-posture-connector/internal/webhook"
)

// checkTimeout is how long an answer of the inventory is awaited at start.
const checkTimeout = 10 * time.Second

// Daemon is the connector with everything that its configuration names loaded and checked.
type Daemon struct {
	// Warnings are what is accepted but probably not meant.
	Warnings []string

	config  config.Config
	tls     server.TLS
	decider posture.Decider
}

// Load loads and validates the whole configuration and opens the provider. It opens no port.
// Its error has one line for each thing that is wrong, not only for the first.
func Load(environ map[string]string) (*Daemon, error) {
	c, problems := config.Load(environ)
	d := &Daemon{config: c}
	pair, err := server.LoadPair(string(c.TLSCertPath), string(c.TLSKeyPath), time.Now())
	problems = append(problems, describe(err)...)
	d.tls.Pair = pair
	if bool(c.EnableMTLS) && c.TLSCAPath != "" {
		pool, err := server.LoadClientCAs(string(c.TLSCAPath))
		problems = append(problems, describe(err)...)
		d.tls.ClientCAs, d.tls.AllowedNames = pool, c.MTLSAllowedNames
	}
	decider, warnings, err := provider.Open(c.Provider, environ)
	problems = append(problems, describe(err)...)
	problems = unique(problems) // a variable that two parts read is wrong for both
	unknown := config.Unknown(environ, append(config.Names[config.Config](), provider.Variables()...))
	if len(problems) > 0 {
		return nil, &broken{problems, unknown}
	}
	d.decider = decider
	d.Warnings = append(unknown, append(c.Warnings(), warnings...)...)
	if len(names(d.tls.Pair.Leaf)) == 0 {
		d.Warnings = append(d.Warnings, "TLS_CERT_PATH: the certificate bears no DNS name and no IP address; step-ca will refuse it")
	}
	return d, nil
}

func unique(problems config.Problems) config.Problems {
	var kept config.Problems
	for _, p := range problems {
		if !slices.Contains(kept, p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// broken is a configuration that cannot be used. A variable that is not set may only have been
// misspelled, so what is unknown is told too.
type broken struct {
	problems config.Problems
	unknown  []string
}

func (b *broken) Error() string {
	lines := []string{b.problems.Error()}
	for _, warning := range b.unknown {
		lines = append(lines, "warning: "+warning)
	}
	return strings.Join(lines, "\n")
}

// describe names the variable to which an error belongs.
func describe(err error) config.Problems {
	var problems config.Problems
	var inFile *server.FileError
	var several interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &problems):
		return problems
	case errors.As(err, &several):
		for _, one := range several.Unwrap() {
			problems = append(problems, describe(one)...)
		}
		return problems
	case errors.As(err, &inFile):
		variable := map[server.Role]string{
			server.Certificate: "TLS_CERT_PATH", server.PrivateKey: "TLS_KEY_PATH", server.ClientCA: "TLS_CA_PATH",
		}[inFile.Role]
		return config.Problems{{Variable: variable, Text: err.Error()}}
	default:
		return config.Problems{{Variable: "PROVIDER", Text: err.Error()}}
	}
}

// Check contacts the inventory once and says what it found.
func (d *Daemon) Check(ctx context.Context) (found string, err error) {
	checker, ok := d.decider.Provider.(posture.Checker)
	if !ok {
		return "provider " + d.decider.Name, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	found, warnings, err := checker.Check(ctx)
	d.Warnings = append(d.Warnings, warnings...)
	if err != nil {
		return "", fmt.Errorf("provider %s: %w", d.decider.Name, err)
	}
	return fmt.Sprintf("provider %s: %s", d.decider.Name, found), nil
}

// Describe says what was loaded, a line for each thing that an operator wants to be sure of.
func (d *Daemon) Describe() []string {
	leaf := d.tls.Pair.Leaf
	clients := "any client may connect; requests are authenticated by their signature"
	if d.config.EnableMTLS {
		clients = "clients need a certificate of the CA in " + string(d.config.TLSCAPath)
		if len(d.config.MTLSAllowedNames) > 0 {
			clients += " that bears one of " + strings.Join(d.config.MTLSAllowedNames, ", ")
		}
	}
	return []string{
		fmt.Sprintf("TLS certificate: for [%s], expires %s", strings.Join(names(leaf), ", "), leaf.NotAfter.UTC().Format(time.RFC3339)),
		"client certificates: " + clients,
		fmt.Sprintf("webhooks: %d", len(d.config.WebhookIDs)),
	}
}

// names are the names for which step-ca would accept a server certificate.
func names(leaf *x509.Certificate) []string {
	found := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		found = append(found, ip.String())
	}
	return found
}

// Decide makes the decision that the webhook would make about a device.
func (d *Daemon) Decide(ctx context.Context, q posture.Query) (posture.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, webhook.Budget)
	defer cancel()
	return d.decider.Decide(ctx, q) //nolint:wrapcheck // the error says what it is about
}

// Serve answers webhook calls until ctx is done; see server.Server for how it ends.
func (d *Daemon) Serve(ctx context.Context, log *logrus.Logger) error {
	found, err := d.Check(ctx)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil // told to end before it began
	}
	address := net.JoinHostPort(string(d.config.BindAddress), strconv.Itoa(int(d.config.Port)))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("BIND_ADDRESS, PORT: %w", err)
	}
	complaints := log.WriterLevel(logrus.DebugLevel)
	defer complaints.Close() //nolint:errcheck // an in-memory pipe
	wanted := int(d.config.MaxConnections)
	limit := server.Affordable(wanted)
	if limit < wanted {
		d.Warnings = append(d.Warnings, fmt.Sprintf("MAX_CONNECTIONS is %d, but the process may open so few files that only %d are held; raise the limit of open files", wanted, limit))
	}
	s := server.New(d.handler(log), d.tls.Config(), limit, complaints)
	d.announce(log, append(d.Describe(), found), listener.Addr())
	if err := s.Serve(ctx, listener); err != nil {
		return err //nolint:wrapcheck // the error says what it is about
	}
	log.Info("stopped; every request was answered")
	return nil
}

func (d *Daemon) handler(log logrus.FieldLogger) *webhook.Handler {
	secrets := d.config.WebhookSecrets.List()
	hooks := make([]webhook.Webhook, len(secrets))
	for i, id := range d.config.WebhookIDs {
		hooks[i] = webhook.Webhook{ID: id, Secret: secrets[i].Reveal()}
	}
	return &webhook.Handler{
		Authenticator: webhook.NewAuthenticator(hooks),
		Decider:       d.decider,
		Tolerance:     d.config.TimestampTolerance.Seconds(),
		Log:           log,
		Now:           time.Now,
		Trust:         server.Trust,
	}
}

// announce says at start what an operator wants to be sure of.
func (d *Daemon) announce(log logrus.FieldLogger, facts []string, address net.Addr) {
	for _, warning := range d.Warnings {
		log.Warn(warning)
	}
	for _, fact := range facts {
		log.Info(fact)
	}
	if timeout := d.config.Timeout.Seconds(); timeout >= webhook.Budget {
		log.Infof("TIMEOUT is %s, but every request is answered within %s, because step-ca waits no longer than 10s", timeout, webhook.Budget)
	}
	log.Infof("listening on %s", address)
}

// Logger makes the daemon's logger as the configuration asks for it.
func (d *Daemon) Logger(out io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(out)
	if d.config.LogFormat == "json" {
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	} else {
		log.SetFormatter(&logrus.TextFormatter{
			FullTimestamp: true, TimestampFormat: time.RFC3339, SortingFunc: audit.SortFields,
		})
	}
	levels := []logrus.Level{logrus.InfoLevel, logrus.DebugLevel, logrus.TraceLevel}
	log.SetLevel(levels[d.config.LoggingLevel])
	return log
}

// Package daemon puts the parts together: configuration, TLS, the provider, the webhook handler.
package daemon

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/reload"
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
	tls     *server.TLS
	decider posture.Decider
	now     func() time.Time

	// The files that are taken into force again when they change.
	identitySet, inventorySet *reload.Set
	// Whether HEALTH_ADDRESS was set, and is not only the default.
	healthWanted bool

	ballast []byte
}

// Load loads and validates the whole configuration and opens the provider. It opens no port.
// Its error has one line for each thing that is wrong, not only for the first.
func Load(environ map[string]string) (*Daemon, error) {
	c, problems := config.Load(environ)
	d := &Daemon{config: c, now: time.Now, healthWanted: environ["HEALTH_ADDRESS"] != ""}
	d.ballast = newBallast() // before the inventory: memory that was used already would have to be cleared
	files := server.Files{Certificate: string(c.TLSCertPath), PrivateKey: string(c.TLSKeyPath)}
	if c.EnableMTLS {
		files.ClientCA = string(c.TLSCAPath)
	}
	d.identitySet = reload.NewSet(tlsFiles, files.Certificate, files.PrivateKey, files.ClientCA)
	d.tls = server.NewTLS(files, c.MTLSAllowedNames)
	identity, err := d.tls.Load(d.now())
	problems = append(problems, describe(err)...)
	d.inventorySet = reload.NewSet(inventoryFiles, provider.Files(c.Provider, environ)...)
	decider, warnings, err := provider.Open(c.Provider, environ)
	problems = append(problems, describe(err)...)
	if err := audit.Probe(string(c.AuditLogPath)); err != nil {
		problems = append(problems, auditProblem(c.AuditLogPath, err))
	}
	problems = unique(problems) // a variable that two parts read is wrong for both
	unknown := config.Unknown(environ, append(config.Names[config.Config](), provider.Variables()...))
	if len(problems) > 0 {
		return nil, &broken{problems, unknown}
	}
	identity()
	d.decider = decider
	d.Warnings = append(unknown, append(c.Warnings(), warnings...)...)
	if len(names(d.tls.Leaf())) == 0 {
		d.Warnings = append(d.Warnings, "TLS_CERT_PATH: the certificate bears no DNS name and no IP address; step-ca will refuse it")
	}
	return d, nil
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
	clients := "any client may connect; requests are authenticated by their signature"
	if d.config.EnableMTLS {
		clients = "clients need a certificate of the CA in " + string(d.config.TLSCAPath)
		if len(d.config.MTLSAllowedNames) > 0 {
			clients += " that bears one of " + strings.Join(d.config.MTLSAllowedNames, ", ")
		}
	}
	return []string{
		d.describeCertificate(),
		"client certificates: " + clients,
		fmt.Sprintf("webhooks: %d", len(d.config.WebhookIDs)),
	}
}

func (d *Daemon) describeCertificate() string {
	leaf := d.tls.Leaf()
	return fmt.Sprintf("TLS certificate: for [%s], expires %s", strings.Join(names(leaf), ", "), leaf.NotAfter.UTC().Format(time.RFC3339))
}

// names are the names for which step-ca would accept a server certificate.
func names(leaf *x509.Certificate) []string {
	found := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		found = append(found, ip.String())
	}
	return found
}

// Provider is the name of the provider.
func (d *Daemon) Provider() string { return d.decider.Name }

// TypeOf is the type of device that q is understood to ask for.
func (d *Daemon) TypeOf(q posture.Query) posture.DeviceType { return d.decider.TypeOf(q) }

// Decide makes the decision that the webhook would make about a device.
func (d *Daemon) Decide(ctx context.Context, q posture.Query) (posture.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, webhook.Budget)
	defer cancel()
	return d.decider.Decide(ctx, q) //nolint:wrapcheck // the error says what it is about
}

// Logger makes the daemon's logger as the configuration asks for it.
func (d *Daemon) Logger(out io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(out)
	if d.json() {
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	} else {
		// Without colors on a terminal too, as the events are.
		log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: time.RFC3339})
	}
	levels := []logrus.Level{logrus.InfoLevel, logrus.DebugLevel, logrus.TraceLevel}
	log.SetLevel(levels[d.config.LoggingLevel])
	return log
}

// json is whether the log is JSON.
func (d *Daemon) json() bool { return d.config.LogFormat == "json" }

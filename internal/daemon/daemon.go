// Package daemon puts the parts together: configuration, TLS, the provider, the webhook handler.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/console/access"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/reload"
	"step-posture-connector/internal/server"
	"step-posture-connector/internal/store"
)

// Daemon is the connector with everything that its configuration names loaded and checked.
type Daemon struct {
	Inventory

	config config.Config
	tls    *server.TLS
	// doorTLS is of the listener of DOOR_ADDRESS; nil without one.
	doorTLS *server.TLS
	// consoleTLS is of the listener of CONSOLE_ADDRESS; nil without one, or where it has no TLS.
	consoleTLS *server.TLS
	users      *access.Users // who may log in to the console; nil without CONSOLE_USERS_FILE
	now        func() time.Time

	// The files that are reloaded when they change; inventories have their own.
	identitySet, policySet *reload.Set
	usersSet               *reload.Set // nil without CONSOLE_USERS_FILE
	sources                sources
	policyPaths            []string // the files of policySet
	// Whether the operator has set HEALTH_ADDRESS, and TIMEOUT for a provider that uses it.
	healthWanted, timeoutWanted bool

	stateURL   *store.URL // nil without a state database
	stateFound string     // what CheckState has found, for Describe

	ballast []byte
}

// Load loads and validates the whole configuration and opens the provider. It opens no port.
// Its error has a line for each problem, and not only for the first.
func Load(environ config.Environment) (*Daemon, error) { return load(environ, false) }

// LoadToCheck is Load for a command that only checks, and may be run as another user than the daemon.
func LoadToCheck(environ config.Environment) (*Daemon, error) { return load(environ, true) }

func load(environ config.Environment, byHand bool) (*Daemon, error) {
	c, problems := config.Load(environ.Variables)
	d := &Daemon{config: c, now: time.Now, healthWanted: environ.Variables["HEALTH_ADDRESS"] != ""}
	d.timeoutWanted = environ.Variables["TIMEOUT"] != "" && provider.MakesRequests(c.Provider)
	d.ballast = newBallast() // before the inventory: memory that was used already would be cleared, and so take pages
	files := server.Files{Certificate: string(c.TLSCertPath), PrivateKey: string(c.TLSKeyPath)}
	if c.EnableMTLS {
		files.ClientCA, files.Revocations = string(c.TLSCAPath), string(c.TLSCRLPath)
	}
	d.tls = server.NewTLS(files, c.MTLSAllowedNames)
	if !c.DoorAddress.Off() && c.DoorClientCAPath != "" { // without the path, the configuration is refused
		d.doorTLS = server.NewDoorTLS(server.Files{Certificate: files.Certificate, PrivateKey: files.PrivateKey, ClientCA: string(c.DoorClientCAPath)})
	}
	d.consoleTLS = consoleTLSOf(c)
	d.identitySet = reload.NewSet(tlsFiles, files.Certificate, files.PrivateKey, files.ClientCA, files.Revocations, string(c.DoorClientCAPath), string(c.ConsoleTLSCertPath), string(c.ConsoleTLSKeyPath))
	identity, err := d.loadTLS()
	problems = append(problems, problemsOf(err)...)
	problems = append(problems, emptyPolicyPath(environ)...)
	problems = append(problems, d.loadUsers()...)
	var stateProblems config.Problems
	d.stateURL, stateProblems = stateURL(c.StateURL)
	problems = append(problems, stateProblems...)
	dropIn := newDropIn(c, environ)
	d.sources = sources{doors: !c.DoorAddress.Off(), mutual: bool(c.EnableMTLS), environ: environ, path: string(c.PolicyPath), facts: bool(c.AuditFacts) || bool(c.Journal), readFacts: c.PolicyPath != "" || dropIn != nil, webhooks: true, state: c.StateURL.IsSet() || environ.Variables["STATE_URL_FILE"] != "", dropIn: dropIn, audit: string(c.AuditLogPath), byHand: byHand}
	if config.WebhookPipe(environ.Variables) != "" {
		d.sources.once = &config.Webhooks{IDs: c.WebhookIDs, Secrets: c.WebhookSecrets}
	}
	var read reading
	d.current, read, err = d.sources.load(nil, nil)
	problems = append(problems, problemsOf(err)...)
	if err := audit.Probe(string(c.AuditLogPath), bool(c.AuditChain)); err != nil {
		problems = append(problems, auditProblem(c.AuditLogPath, err))
	}
	problems = append(problems, auditElsewhere(string(c.AuditLogPath), environ)...)
	problems = dropIn.named(unique(problems), c.InventoryPath, environ) // two parts may report the same variable
	unknown := d.sources.warnings(read)
	if !c.DoorAddress.Off() && c.PolicyPath == "" {
		problems = append(problems, config.Problem{Variable: "DOOR_ADDRESS", Text: "set, but POLICY_PATH is not: doors are in the policy file", Accepted: "POLICY_PATH and doors in that file, or no DOOR_ADDRESS"})
	}
	if len(problems) > 0 {
		refused := refuse(problems, slices.Concat(unknown, c.Unused()), environ)
		refused.cause = err
		return nil, refused
	}
	identity()
	d.policySet, d.policyPaths = reload.NewSetOf(policyFiles, read.state), read.paths
	d.Warnings = slices.Concat(unknown, c.Warnings(), d.stateWarnings(), journalWarnings(c, environ.Variables), dropIn.warnings(), d.idleListener(), d.current.warnings)
	if config.ReadableByAll(files.PrivateKey) {
		d.Warnings = append(d.Warnings, "TLS_KEY_PATH: every user of this machine can read the private key "+files.PrivateKey+"; chmod 640 or 600")
	}
	d.Warnings = append(d.Warnings, d.tls.Warnings(d.now())...)
	if d.doorTLS != nil {
		d.Warnings = append(d.Warnings, d.doorTLS.Warnings(d.now())...)
		d.Warnings = append(d.Warnings, d.doorWarnings(d.current)...)
	}
	d.Warnings = append(d.Warnings, d.consoleWarnings()...)
	return d, nil
}

// loadTLS loads the files of all listeners. apply is nil where none has a valid one, and, the first time, where any is invalid.
func (d *Daemon) loadTLS() (apply func(), err error) {
	var all []func()
	var errs []error
	isFirst := false
	for _, t := range []*server.TLS{d.tls, d.doorTLS, d.consoleTLS} {
		if t == nil {
			continue
		}
		isFirst = isFirst || !t.Loaded()
		apply, err := t.Load(d.now())
		if apply != nil {
			all = append(all, apply)
		}
		errs = append(errs, err)
	}
	err = joinOnce(errs...)
	if len(all) == 0 || isFirst && err != nil {
		return nil, err
	}
	return func() {
		for _, apply := range all {
			apply()
		}
	}, err
}

// joinOnce joins errors, of which several may be about the same file.
func joinOnce(several ...error) error {
	var all []error
	for _, err := range several {
		parts := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			parts = joined.Unwrap()
		}
		for _, part := range parts {
			if part != nil && !slices.ContainsFunc(all, func(before error) bool { return before.Error() == part.Error() }) {
				all = append(all, part)
			}
		}
	}
	return errors.Join(all...)
}

// Check contacts the inventories once and returns what it found, a line for each. The error has a line for each that did not
// answer.
func (d *Daemon) Check(ctx context.Context) (found []string, err error) {
	found, warnings, err := d.current.check(ctx)
	d.Warnings = append(d.Warnings, warnings...)
	return found, err
}

// Describe returns what was loaded, a line for each thing that an operator should verify.
func (d *Daemon) Describe() []string {
	return slices.Concat([]string{d.describeCertificate(), d.describeClients()}, d.describeLists(), d.describeState(), d.describeJournal(), d.describeRest(), d.describeDoors(), d.describeConsole())
}

func (d *Daemon) describeClients() string {
	const what = "client certificates: "
	if !d.config.EnableMTLS {
		if d.current.bearer != nil {
			return what + "any client may connect; requests are authenticated by WEBHOOK_KEY"
		}
		return what + "any client may connect; requests are authenticated by their signature"
	}
	clients := what + "clients need a certificate of the CA in " + string(d.config.TLSCAPath) + " (" + d.tls.DescribeCAs() + ")"
	if len(d.config.MTLSAllowedNames) > 0 {
		clients += " with one of these names: " + strings.Join(d.config.MTLSAllowedNames, ", ")
	}
	return clients
}

// describeFiles names the certificates and revocation lists in effect.
func (d *Daemon) describeFiles() string {
	if !d.config.EnableMTLS {
		return d.describeCertificate()
	}
	return strings.Join(append([]string{d.describeCertificate(), "client CAs: " + d.tls.DescribeCAs()}, d.describeLists()...), "; ")
}

// describeLists describes the revocation lists in effect, if there is a file of them.
func (d *Daemon) describeLists() []string {
	if d.config.TLSCRLPath == "" {
		return nil
	}
	return []string{"revocation lists in " + string(d.config.TLSCRLPath) + ": " + d.tls.DescribeLists()}
}

func (d *Daemon) describeCertificate() string {
	leaf := d.tls.Leaf()
	return fmt.Sprintf("TLS certificate: for [%s], expires %s", strings.Join(server.CertificateNames(leaf), ", "), leaf.NotAfter.UTC().Format(time.RFC3339))
}

package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/stepca"
	"step-posture-connector/internal/webhook"
)

// CA is a step-ca whose provisioners are checked.
type CA struct {
	url  string
	root *x509.Certificate
}

// ParseCA returns the CA at a URL. Its certificate must chain to root; without one, to a root of this machine or of
// TLS_CA_PATH, which has step-ca's.
func ParseCA(url string, root *x509.Certificate) (CA, error) {
	parsed, err := stepca.ParseURL(url)
	if err != nil {
		return CA{}, fmt.Errorf("--ca-url: %w", err)
	}
	return CA{parsed, root}, nil
}

// CheckCA asks a CA for its provisioners, and compares them with the webhooks of the configuration. The error has a line for each
// fault.
func (d *Daemon) CheckCA(ctx context.Context, ca CA) (found, warnings []string, err error) {
	roots, err := d.rootsOf(ca)
	if err != nil {
		return nil, nil, err
	}
	provisioners, err := stepca.CA{URL: ca.url, Roots: roots}.Provisioners(ctx)
	if err != nil {
		return nil, nil, err
	}
	f := stepca.Check(provisioners, d.current.ownWebhooks(), webhook.Paths(d.current.file != nil))
	found = append(f.Found, fmt.Sprintf("step-ca at %s: %d provisioners", ca.url, len(provisioners)))
	if len(f.Faults) > 0 {
		err = errors.New(strings.Join(f.Faults, "\n"))
	}
	return found, f.Warnings, err
}

func (d *Daemon) rootsOf(ca CA) (*x509.CertPool, error) {
	if ca.root != nil {
		only := x509.NewCertPool()
		only.AddCert(ca.root)
		return only, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil { // a machine without any: those of TLS_CA_PATH remain
		roots = x509.NewCertPool()
	}
	if path := string(d.config.TLSCAPath); d.config.EnableMTLS && path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("TLS_CA_PATH: %w", err)
		}
		roots.AppendCertsFromPEM(text)
	}
	return roots, nil
}

// ownWebhooks are the webhooks of a generation, as the check of a CA compares them. Those of the environment are attested.
func (g *generation) ownWebhooks() []stepca.Webhook {
	var own []stepca.Webhook
	for _, hook := range g.hooks {
		w := &policyfile.Webhook{Name: hook.ID, ID: hook.ID, Policy: "default", Accepts: []posture.Accepts{posture.Attested}}
		if g.file != nil {
			if n := slices.IndexFunc(g.file.Webhooks, func(o policyfile.Webhook) bool { return o.ID == hook.ID }); n >= 0 {
				w = &g.file.Webhooks[n]
			}
		}
		if !w.Takes(posture.RADIUS) { // that one is Smallstep's, and not in step-ca
			own = append(own, g.ownWebhook(w))
		}
	}
	return own
}

func (g *generation) ownWebhook(w *policyfile.Webhook) stepca.Webhook {
	own := stepca.Webhook{
		Name: w.Name, ID: w.ID, Policy: w.Policy, Path: webhook.PathOf(w.Accepts[0]),
		Signs: true, Attested: w.Takes(posture.Attested), Host: w.Takes(posture.SSHHost),
		SSH: w.Takes(posture.SSHUser) || w.Takes(posture.SSHHost), Kind: strings.ToUpper(w.Kind), // as step-ca writes it
		ProvisionerType: w.ProvisionerType, ProvisionerName: w.ProvisionerName,
	}
	switch w.Accepts[0] {
	case posture.SCEPChallenge:
		own.Signs, own.Kind = false, stepca.Challenge
	case posture.SCEPNotification:
		own.Signs, own.Kind = false, stepca.Notification
	default:
		own.NeedsAuthorizing = g.needsAuthorizing(w.Policy)
		own.Token = g.file != nil && g.file.Policies[w.Policy] != nil && g.file.Policies[w.Policy].Token != nil
	}
	if !own.Attested {
		own.Params = append([]string{}, w.Params...) // not nil: what it does not list is refused
	}
	return own
}

func (g *generation) needsAuthorizing(policy string) bool {
	if g.file == nil {
		return false
	}
	p := g.file.Policies[policy]
	return p != nil && len(p.OnlyAuthorizing()) > 0
}

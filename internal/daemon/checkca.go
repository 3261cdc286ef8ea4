package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

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
	f := stepca.Check(provisioners, d.current.ownWebhooks(), []string{webhook.AttestPath})
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

// ownWebhooks are the webhooks of a generation, as the check of a CA compares them.
func (g *generation) ownWebhooks() []stepca.Webhook {
	own := make([]stepca.Webhook, 0, len(g.hooks))
	for _, hook := range g.hooks {
		w := stepca.Webhook{Name: hook.Name, ID: hook.ID, Path: webhook.AttestPath, Signs: true, Attested: true}
		if w.Name == "" {
			w.Name = hook.ID
		}
		if w.Policy = "default"; g.file != nil {
			for _, other := range g.file.Webhooks {
				if other.ID == hook.ID {
					w.Policy = other.Policy
				}
			}
		}
		own = append(own, w)
	}
	return slices.Clip(own)
}

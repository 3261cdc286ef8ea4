// Package httpjson is the inventory of any service that answers JSON over HTTPS: a section of a policy file says what is
// asked, and reads the answer by expressions.
package httpjson

import (
	"crypto/x509"
	"net/url"
	"regexp"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
)

// Config is a section of a policy file that was read. The environment cannot configure this provider.
type Config struct {
	base        *url.URL
	caFile      string
	credentials []credential
	identifiers *regexp.Regexp
	vars        map[string]string
	secrets     map[string]config.Secret
	headers     []field
	limits      limits
	request     *request
	outcome     outcome
	steps       []thenStep
	mapping     mapping
	list        *listing
	unmanaged   bool // allow_unmanaged

	// RootCAs are the CAs that may have issued the server's certificate, beside ca_file; nil means the system's.
	RootCAs *x509.CertPool
}

// limits are those of requests.
type limits struct {
	timeout time.Duration
	body    int // bytes
	atOnce  int
	rate    float64 // requests a second; 0 is no limit
	burst   int
}

// thenStep is a request behind the first.
type thenStep struct {
	name       string
	request    *request
	more, flaw *expression.Expression // flaw may be nil
}

// listing is how all devices are listed.
type listing struct {
	request     *request
	items       *expression.Expression
	next, total *expression.Expression // may be nil
	cursor      bool                   // next gives a token
}

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{AllowUnmanaged: c.unmanaged}
}

// Facts are those that are mapped.
func (c Config) Facts() posture.FactSet {
	if c.mapping.faulty || len(c.mapping.facts) == 0 {
		return posture.AllFacts() // to report what is missing because of another fault would mislead
	}
	return c.mapping.gives()
}

// Files are those that the inventory is configured by. A client certificate is read for each connection, so a new one needs
// no reload.
func (c Config) Files() []string {
	if c.caFile == "" {
		return nil
	}
	return []string{c.caFile}
}

// ConfiguredBy are the same files.
func (c Config) ConfiguredBy() []string { return c.Files() }

// Listable says that a section may have a snapshot; it needs list then.
func (c Config) Listable() {}

// The words of identifiers.
const (
	identifiersSerial = "serial"
	identifiersEmail  = "email"
)

// The patterns of identifiers. Nothing that serial lets through means anything in a path, a query or JSON.
const (
	patternSerial = `^[A-Za-z0-9-]{1,64}$`
	patternEmail  = `^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,10}$`
)

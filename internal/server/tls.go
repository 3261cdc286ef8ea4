// Package server is the HTTPS listener: who may connect, how long, and how it ends.
package server

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Role says what one of the files of the TLS configuration is for.
type Role string

// The files of the TLS configuration.
const (
	Certificate Role = "TLS certificate"
	PrivateKey  Role = "TLS private key"
	ClientCA    Role = "client CA bundle"
)

// FileError says what is wrong with one file. It holds nothing of the file's contents.
type FileError struct {
	Role Role
	Path string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s %s: %v", e.Role, e.Path, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

// Files are the paths of the files that a TLS is loaded from.
type Files struct {
	Certificate string // PEM, leaf first
	PrivateKey  string // PEM
	ClientCA    string // PEM; without it no client certificate is asked for
}

// TLS is how the listener identifies itself and whom it lets in. It can be reloaded while
// connections are open.
type TLS struct {
	files        Files
	allowedNames []string
	current      atomic.Pointer[identity]
}

// identity is what was loaded together.
type identity struct {
	pair      *pair
	clientCAs *authorities // nil: no client certificate is asked for
	config    *tls.Config
}

// NewTLS makes a TLS that has to be loaded. A client certificate must bear one of allowedNames; when
// there are none, every certificate of the CA passes.
func NewTLS(files Files, allowedNames []string) *TLS {
	return &TLS{files: files, allowedNames: allowedNames}
}

// Load reads the files and checks that they can be used at the time now. take puts what is good into
// force, at once; what is not stays as it was, and the error joins a *FileError for each such file.
// Without anything good, or, the first time, with anything bad, take is nil.
//
// A broken CA bundle does not keep a renewed certificate out: that would end in an expired one. And a
// broken certificate does not keep the removal of a CA from taking effect.
func (t *TLS) Load(now time.Time) (take func(), err error) {
	pair, errPair := loadPair(t.files.Certificate, t.files.PrivateKey, now)
	var clientCAs *authorities
	var errCAs error
	if t.files.ClientCA != "" {
		clientCAs, errCAs = loadClientCAs(t.files.ClientCA, now)
	}
	err = errors.Join(errPair, errCAs)
	old := t.current.Load()
	switch {
	case old == nil && (err != nil || pair == nil), errPair != nil && (errCAs != nil || t.files.ClientCA == ""):
		return nil, err
	case errPair != nil:
		pair = old.pair
	case errCAs != nil:
		clientCAs = old.clientCAs
	}
	if old != nil && clientCAs.equal(old.clientCAs) {
		clientCAs = old.clientCAs // so that nobody is verified again
	}
	next := newIdentity(pair, clientCAs, t.allowedNames)
	return func() { t.current.Store(next) }, err
}

// Leaf is the server certificate in effect.
func (t *TLS) Leaf() *x509.Certificate { return t.current.Load().pair.Leaf }

// DescribeCAs names the CAs in effect that client certificates must chain to.
func (t *TLS) DescribeCAs() string { return t.current.Load().clientCAs.String() }

// Warnings says what is probably not meant with the files in effect.
func (t *TLS) Warnings(now time.Time) []string {
	current := t.current.Load()
	var warnings []string
	leaf := current.pair.Leaf
	if len(CertificateNames(leaf)) == 0 {
		warnings = append(warnings, "TLS_CERT_PATH: the certificate bears no DNS name and no IP address; step-ca will refuse it")
	}
	if issuer := current.missingIssuer(); issuer != "" {
		warnings = append(warnings, fmt.Sprintf("TLS_CERT_PATH: the certificate of the issuer, %.64q, is not in the file; clients that do not have it will refuse the connection; append it, unless it is the root that they trust", issuer))
	}
	const manyCAs = 20 // more than anybody has of their own
	if many := len(current.clientCAs.all()); many > manyCAs {
		warnings = append(warnings, fmt.Sprintf("TLS_CA_PATH: the file has %d CAs, as the bundle of the system has; client certificates of each of them are accepted; put the root of your own CA alone into a file", many))
	}
	for _, ca := range current.clientCAs.all() {
		if wrong := wrongWith(ca, now); wrong != "" {
			warnings = append(warnings, fmt.Sprintf("TLS_CA_PATH: %s %s", nameOf(ca), wrong))
		}
	}
	return warnings
}

// missingIssuer names the issuer of the server certificate when its certificate is not sent along, and is
// not known to be the root.
func (i *identity) missingIssuer() string {
	leaf := i.pair.Leaf
	known := i.pair.chain // with the leaf, which may have signed itself
	for _, ca := range i.clientCAs.all() {
		if bytes.Equal(ca.RawIssuer, ca.RawSubject) {
			known = append(slices.Clip(known), ca)
		}
	}
	if slices.ContainsFunc(known, func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, leaf.RawIssuer) }) {
		return ""
	}
	return cmp.Or(leaf.Issuer.CommonName, leaf.Issuer.String(), "?")
}

// CertificateNames are the names for which step-ca would accept a server certificate.
func CertificateNames(leaf *x509.Certificate) []string {
	found := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		found = append(found, ip.String())
	}
	return found
}

// nameOf names a certificate in messages.
func nameOf(c *x509.Certificate) string {
	return fmt.Sprintf("%.64q", cmp.Or(c.Subject.CommonName, c.Subject.String(), "?"))
}

// Config returns the TLS configuration of the listener. It follows what is loaded later.
func (t *TLS) Config() *tls.Config {
	// Fail closed: the base configuration asks for the same as those that replace it.
	config := t.current.Load().config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		now := t.current.Load()
		if c, ok := hello.Conn.(*connection); ok {
			c.admittedBy.Store(now.clientCAs)
		}
		return now.config, nil
	}
	return config
}

// admits reports whether a connection whose handshake was made under an older CA bundle would still
// be let in: a CA that was removed must not live on in connections that are open.
func (t *TLS) admits(c *connection, state *tls.ConnectionState) bool {
	now := t.current.Load()
	if now.clientCAs == nil || c.admittedBy.Load() == now.clientCAs {
		return true
	}
	if state == nil || len(state.PeerCertificates) == 0 {
		return false
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: now.clientCAs.pool, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return false
	}
	c.admittedBy.Store(now.clientCAs)
	return true
}

func newIdentity(pair *pair, clientCAs *authorities, allowedNames []string) *identity {
	config := &tls.Config{
		Certificates: []tls.Certificate{*pair.Certificate},
		MinVersion:   tls.VersionTLS12,
		// For TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"h2", "http/1.1"},
	}
	if clientCAs != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = clientCAs.pool
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyClient(state, allowedNames)
		}
		// A resumed session would carry on with what was verified under an older CA bundle.
		config.SessionTicketsDisabled = true
	}
	return &identity{pair: pair, clientCAs: clientCAs, config: config}
}

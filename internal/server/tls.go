// Package server is the HTTPS listener: client certificates, connections, limits, shutdown. limits.go has all limits.
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

	"step-posture-connector/internal/authority"
)

// The files of the TLS configuration.
const (
	Certificate authority.Role = "TLS certificate"
	PrivateKey  authority.Role = "TLS private key"
	ClientCA    authority.Role = "client CA bundle"
	Revocations authority.Role = "revocation list"
)

// Files are the paths of the files that a TLS is loaded from.
type Files struct {
	Certificate string // PEM, leaf first
	PrivateKey  string // PEM
	ClientCA    string // PEM; without it no client certificate is required
	Revocations string // PEM or DER, only with ClientCA; without it no client is revoked
}

// TLS is the identity of the listener, and the clients that it admits. It can be reloaded while connections are open.
type TLS struct {
	files        Files
	allowedNames []string
	door         bool // it is of DOOR_ADDRESS, and not of the webhooks
	console      console
	current      atomic.Pointer[identity]
}

// identity is one loaded version.
type identity struct {
	pair   *pair
	rules  *admission
	config *tls.Config
}

// NewTLS makes a TLS that must be loaded before use. A client certificate must have one of allowedNames; without any,
// every certificate of the CA is accepted.
func NewTLS(files Files, allowedNames []string) *TLS {
	return &TLS{files: files, allowedNames: allowedNames}
}

// NewDoorTLS makes the TLS of DOOR_ADDRESS, which must be loaded before use. Fail closed: it always requires a client
// certificate, so that without files.ClientCA it cannot be loaded. Which names a caller must have, each door says itself.
func NewDoorTLS(files Files) *TLS { return &TLS{files: files, door: true} }

// console says whether a TLS is of CONSOLE_ADDRESS, and whether its certificate is another than that of the webhooks.
type console int

const (
	noConsole console = iota
	sharedConsole
	ownConsole
)

// NewConsoleTLS makes the TLS of CONSOLE_ADDRESS, which must be loaded before use. Browsers present no client certificate. own says
// that the files are the console's own, and not those of the webhooks.
func NewConsoleTLS(files Files, own bool) *TLS {
	t := &TLS{files: Files{Certificate: files.Certificate, PrivateKey: files.PrivateKey}, console: sharedConsole}
	if own {
		t.console = ownConsole
	}
	return t
}

// Loaded reports whether a version is in effect.
func (t *TLS) Loaded() bool { return t.current.Load() != nil }

// wording is how messages name what belongs to the listener.
func (t *TLS) wording() wording {
	switch {
	case t.door:
		return doorWording()
	case t.console != noConsole:
		return consoleWording(t.console == ownConsole)
	}
	return webhookWording()
}

// Load reads the files and checks that they can be used at the time now. apply replaces the version in effect by the
// valid files; an invalid one keeps its previous version, and the error joins an *authority.FileError for it. apply is nil
// when no file is valid, and, the first time, when any file is invalid.
//
// An invalid CA bundle or revocation list does not stop a renewed certificate: the previous one would expire. An invalid
// certificate stops neither the removal of a CA nor a new revocation list.
func (t *TLS) Load(now time.Time) (apply func(), err error) {
	next := &identity{rules: &admission{}}
	errPair, errCAs, errLists := t.load(next, now)
	err = errors.Join(errPair, errCAs, errLists)
	old := t.current.Load()
	switch {
	case old == nil && (err != nil || next.pair == nil), !t.hasValid(errPair, errCAs, errLists):
		return nil, err
	case old != nil && errPair != nil:
		next.pair = old.pair
	}
	if old != nil && next.rules.equal(old.rules) {
		next.rules = old.rules // so that open connections are not verified again
	}
	made := newIdentity(next.pair, next.rules, t.allowedNames)
	return func() { t.current.Store(made) }, err
}

// load loads each file into next. In place of invalid CAs and lists it puts those in effect, if there are any: so new
// lists are verified with the CAs that will be in effect with them.
func (t *TLS) load(next *identity, now time.Time) (errPair, errCAs, errLists error) {
	before := &admission{}
	if old := t.current.Load(); old != nil {
		before = old.rules
	}
	w := t.wording()
	next.pair, errPair = loadPair(
		authority.File{Role: Certificate, Setting: w.certificate, Path: t.files.Certificate},
		authority.File{Role: PrivateKey, Setting: w.privateKey, Path: t.files.PrivateKey}, now)
	if t.files.ClientCA != "" || t.door {
		clientCA := authority.File{Role: ClientCA, Setting: w.clientCA, Path: t.files.ClientCA, Wanted: "the root of the CA"}
		if next.rules.clientCAs, errCAs = authority.LoadAuthorities(clientCA, now); errCAs != nil {
			next.rules.clientCAs = before.clientCAs
		}
	}
	if t.files.Revocations != "" {
		lists := authority.File{Role: Revocations, Setting: w.revocations, Path: t.files.Revocations}
		if next.rules.revoked, errLists = authority.LoadRevocations(lists, next.rules.clientCAs, before.revoked, now); errLists != nil {
			next.rules.revoked = before.revoked
		}
	}
	return errPair, errCAs, errLists
}

// hasValid reports whether one of the files is valid, so that a reload has something to apply.
func (t *TLS) hasValid(errPair, errCAs, errLists error) bool {
	return errPair == nil || t.files.ClientCA != "" && errCAs == nil || t.files.Revocations != "" && errLists == nil
}

// Leaf is the server certificate in effect.
func (t *TLS) Leaf() *x509.Certificate { return t.current.Load().pair.Leaf }

// ClientCAs are the CAs in effect that client certificates must chain to; nil before the files were loaded.
func (t *TLS) ClientCAs() []*x509.Certificate {
	current := t.current.Load()
	if current == nil {
		return nil
	}
	return current.rules.clientCAs.All()
}

// DescribeCAs names the CAs in effect that client certificates must chain to.
func (t *TLS) DescribeCAs() string { return t.current.Load().rules.clientCAs.String() }

// DescribeLists describes the revocation lists in effect.
func (t *TLS) DescribeLists() string { return t.current.Load().rules.revoked.String() }

// Overdue says which revocation lists in effect should have been replaced, at the time now; they go on counting. It is
// empty when none should.
func (t *TLS) Overdue(now time.Time) string { return t.current.Load().rules.revoked.Overdue(now) }

// NextUpdate is when the first of the revocation lists in effect has to be replaced; zero when none says so.
func (t *TLS) NextUpdate() time.Time { return t.current.Load().rules.revoked.NextUpdate() }

// Revoked is how many entries the revocation lists in effect have.
func (t *TLS) Revoked() int { return t.current.Load().rules.revoked.Entries() }

// Warnings says what is probably not meant in the files in effect.
func (t *TLS) Warnings(now time.Time) []string {
	current, w := t.current.Load(), t.wording()
	var warnings []string
	if !t.door && t.console != sharedConsole { // they have the certificate of the webhooks, whose listener has warned of it
		warnings = current.certificateWarnings(w)
	}
	if many := len(current.rules.clientCAs.All()); many > manyCAs {
		warnings = append(warnings, fmt.Sprintf("%s: the file has %d CAs, like the bundle of the system; client certificates of each of them are accepted; use a file with the root of your own CA only", w.clientCA, many))
	}
	warnings = append(warnings, current.rules.clientCAs.Warnings(now)...)
	return append(warnings, current.rules.revoked.Warnings(now)...)
}

func (i *identity) certificateWarnings(w wording) (warnings []string) {
	leaf := i.pair.Leaf
	if len(CertificateNames(leaf)) == 0 {
		warnings = append(warnings, w.certificate+": the certificate bears no DNS name and no IP address; "+w.client+" will refuse it")
	}
	if issuer := i.missingIssuer(); issuer != "" {
		warnings = append(warnings, fmt.Sprintf("%s: the certificate of the issuer, %.64q, is not in the file; clients that do not have it will refuse the connection; append it, unless it is the root that they trust", w.certificate, issuer))
	}
	return warnings
}

// missingIssuer names the issuer of the server certificate if the issuer's certificate is neither in the file nor known
// to be the root.
func (i *identity) missingIssuer() string {
	leaf := i.pair.Leaf
	known := i.pair.chain // with the leaf, which may be self-signed
	for _, ca := range i.rules.clientCAs.All() {
		if bytes.Equal(ca.RawIssuer, ca.RawSubject) {
			known = append(slices.Clip(known), ca)
		}
	}
	if slices.ContainsFunc(known, func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, leaf.RawIssuer) }) {
		return ""
	}
	return cmp.Or(leaf.Issuer.CommonName, leaf.Issuer.String(), "?")
}

// CertificateNames are the names of a server certificate that step-ca accepts.
func CertificateNames(leaf *x509.Certificate) []string {
	found := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		found = append(found, ip.String())
	}
	return found
}

// Config returns the TLS configuration of the listener. It always uses the version in effect.
func (t *TLS) Config() *tls.Config {
	// Fail closed: the base configuration requires the same as the later ones.
	config := t.current.Load().config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		now := t.current.Load()
		if c, ok := hello.Conn.(*connection); ok {
			c.admittedBy.Store(now.rules)
		}
		return now.config, nil
	}
	return config
}

func newIdentity(pair *pair, rules *admission, allowedNames []string) *identity {
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
	if rules.clientCAs != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = rules.clientCAs.Pool()
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return rules.verifyClient(state, allowedNames)
		}
		// A resumed session would skip the verification with the present CA bundle and revocation lists.
		config.SessionTicketsDisabled = true
	}
	return &identity{pair: pair, rules: rules, config: config}
}

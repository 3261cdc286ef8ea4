// Package server is the HTTPS listener: who may connect, how long, and how it ends.
package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
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

// TLS is how the listener identifies itself and whom it lets in. It can be loaded anew while
// connections are open.
type TLS struct {
	files        Files
	allowedNames []string
	current      atomic.Pointer[identity]
}

// identity is what was loaded together.
type identity struct {
	pair      *tls.Certificate
	clientCAs *x509.CertPool // nil: no client certificate is asked for
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
	pair, errPair := LoadPair(t.files.Certificate, t.files.PrivateKey, now)
	var clientCAs *x509.CertPool
	var errCAs error
	if t.files.ClientCA != "" {
		clientCAs, errCAs = LoadClientCAs(t.files.ClientCA)
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
	if old != nil && clientCAs.Equal(old.clientCAs) {
		clientCAs = old.clientCAs // so that nobody is verified again
	}
	next := newIdentity(pair, clientCAs, t.allowedNames)
	return func() { t.current.Store(next) }, err
}

// Leaf is the server certificate in force.
func (t *TLS) Leaf() *x509.Certificate { return t.current.Load().pair.Leaf }

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
		Roots: now.clientCAs, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return false
	}
	c.admittedBy.Store(now.clientCAs)
	return true
}

func newIdentity(pair *tls.Certificate, clientCAs *x509.CertPool, allowedNames []string) *identity {
	config := &tls.Config{
		Certificates: []tls.Certificate{*pair},
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
		config.ClientCAs = clientCAs
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyClient(state, allowedNames)
		}
		// A resumed session would carry on with what was verified under an older CA bundle.
		config.SessionTicketsDisabled = true
	}
	return &identity{pair: pair, clientCAs: clientCAs, config: config}
}

// LoadPair reads the server certificate and its key, and checks that they can be used at the time
// now. Either path may be empty: then the other file is judged alone, and there is no pair. The error
// joins a *FileError for each file that is wrong.
func LoadPair(certificatePath, keyPath string, now time.Time) (*tls.Certificate, error) {
	certificate, errCertificate := loadCertificate(certificatePath, now)
	key, errKey := loadKey(keyPath)
	if err := errors.Join(errCertificate, errKey); err != nil || certificate == nil || key == nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, &FileError{PrivateKey, keyPath, fmt.Errorf("%w (the certificate is the first in %s)", err, certificatePath)}
	}
	return &pair, nil
}

func loadCertificate(path string, now time.Time) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readPEM(Certificate, path)
	if err != nil {
		return nil, err
	}
	certificates, err := parseCertificates(text)
	if err != nil {
		return nil, &FileError{Certificate, path, err}
	}
	switch leaf := certificates[0]; {
	case now.Before(leaf.NotBefore):
		return nil, &FileError{Certificate, path, fmt.Errorf("not valid before %s", leaf.NotBefore.Format(time.RFC3339))}
	case now.After(leaf.NotAfter):
		return nil, &FileError{Certificate, path, fmt.Errorf("expired at %s", leaf.NotAfter.Format(time.RFC3339))}
	}
	return text, nil
}

func loadKey(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readPEM(PrivateKey, path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return text, nil
		}
	}
	return nil, &FileError{PrivateKey, path, errors.New("there is no PEM private key in it")}
}

// LoadClientCAs reads the CA certificates that client certificates must chain to.
func LoadClientCAs(path string) (*x509.CertPool, error) {
	text, err := readPEM(ClientCA, path)
	if err != nil {
		return nil, err
	}
	certificates, err := parseCertificates(text)
	if err != nil {
		return nil, &FileError{ClientCA, path, err}
	}
	pool := x509.NewCertPool()
	for _, certificate := range certificates {
		pool.AddCert(certificate)
	}
	return pool, nil
}

// parseCertificates reads the certificates of a PEM file, which may hold other blocks too. A
// certificate that cannot be read is an error: passed over, it would be missed only when step-ca is refused.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate %d: %w", len(certificates)+1, err)
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, errors.New("there is no PEM certificate in it")
	}
	return certificates, nil
}

// maxPEM is the largest file that is read, in bytes.
const maxPEM = 1 << 20

func readPEM(role Role, path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) != 0 {
		// A pipe would be waited for, and no other file be loaded anew meanwhile.
		return nil, &FileError{role, path, errors.New("it is a pipe or a device, and not a file")}
	}
	file, err := os.Open(path) //nolint:gosec // G304: the operator chooses the file.
	if err != nil {
		return nil, &FileError{role, path, cause(err)}
	}
	defer file.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	switch {
	case err != nil:
		return nil, &FileError{role, path, cause(err)}
	case len(text) > maxPEM:
		return nil, &FileError{role, path, fmt.Errorf("it has more than %d bytes", maxPEM)}
	}
	return text, nil
}

// cause drops the path from an error of the file system, because FileError names it.
func cause(err error) error {
	if inPath := (*os.PathError)(nil); errors.As(err, &inPath) {
		return inPath.Err
	}
	return err
}

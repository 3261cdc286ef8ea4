// Package server is the HTTPS listener: who may connect, how long, and how it ends.
package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
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

// TLS says how the listener identifies itself and whom it lets in.
type TLS struct {
	// Pair is the server certificate with its chain and key.
	Pair *tls.Certificate
	// ClientCAs are the CAs a client certificate must chain to; nil asks for no client certificate.
	ClientCAs *x509.CertPool
	// AllowedNames are the names of which a client certificate must bear one; empty allows every
	// certificate of ClientCAs.
	AllowedNames []string
}

// Config returns the TLS configuration of the listener.
func (t TLS) Config() *tls.Config {
	config := &tls.Config{
		Certificates: []tls.Certificate{*t.Pair},
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
	if t.ClientCAs == nil {
		return config
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = t.ClientCAs
	config.VerifyConnection = func(state tls.ConnectionState) error {
		return t.verifyClient(state)
	}
	// A resumed session would carry on with what was verified under an older CA bundle.
	config.SessionTicketsDisabled = true
	return config
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

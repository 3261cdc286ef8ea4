package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/filesys"
)

// pair is the server certificate with its chain.
type pair struct {
	*tls.Certificate
	chain []*x509.Certificate // all of the file, leaf first
}

// loadPair reads the server certificate and its key, and checks that they can be used at the time
// now. Either path may be empty: then only the other file is checked, and the pair is nil. The error
// joins a *FileError for each file with a fault.
func loadPair(certificatePath, keyPath string, now time.Time) (*pair, error) {
	chain, errCertificate := loadChain(certificatePath, now)
	key, errKey := loadKey(keyPath)
	certificateHas, keyHas := (*lackingError)(nil), (*lackingError)(nil)
	if errors.As(errCertificate, &certificateHas) && errors.As(errKey, &keyHas) && certificateHas.found == aKey && keyHas.found == aCertificate {
		return nil, &FileError{Certificate, certificatePath, errors.New("it has a private key, and the file of TLS_KEY_PATH has a certificate: the two are swapped")}
	}
	if err := errors.Join(errCertificate, errKey); err != nil || chain == nil || key == nil {
		return nil, err
	}
	made := &pair{}
	var encoded []byte
	for _, c := range chain {
		encoded = append(encoded, c.block.encoded()...)
		made.chain = append(made.chain, c.Certificate)
	}
	certificate, err := tls.X509KeyPair(encoded, key)
	if err == nil {
		made.Certificate = &certificate
		return made, nil
	}
	if !strings.Contains(err.Error(), "does not match") {
		return nil, &FileError{PrivateKey, keyPath, fmt.Errorf("it cannot be used: %w", err)}
	}
	for i, c := range chain[1:] {
		if _, err := tls.X509KeyPair(c.block.encoded(), key); err == nil {
			return nil, &FileError{Certificate, certificatePath, fmt.Errorf("line %d: the key belongs to certificate %d, and not to the first; put the server certificate first, and the certificate of its issuer after it", c.block.line, i+2)}
		}
	}
	return nil, &FileError{PrivateKey, keyPath, fmt.Errorf("it does not belong to the first certificate in %s, which is %s", certificatePath, nameOf(chain[0].Certificate))}
}

// read is a certificate and its place in the file.
type read struct {
	*x509.Certificate
	block block
}

func loadChain(path string, now time.Time) ([]read, error) {
	if path == "" {
		return nil, nil
	}
	chain, err := loadCertificates(Certificate, path)
	if err != nil {
		return nil, err
	}
	switch leaf := chain[0]; {
	case now.Before(leaf.NotBefore):
		return nil, &FileError{Certificate, path, fmt.Errorf("not valid before %s; is the clock right?", leaf.NotBefore.Format(time.RFC3339))}
	case now.After(leaf.NotAfter):
		return nil, &FileError{Certificate, path, fmt.Errorf("expired at %s; `step ca renew` renews it, with --allow-renewal-after-expiry of its provisioner", leaf.NotAfter.Format(time.RFC3339))}
	case !servesAs(leaf.Certificate):
		return nil, &FileError{Certificate, path, errors.New("its extended key usage lacks serverAuth: step-ca refuses it, as every client does")}
	}
	return chain, nil
}

// servesAs reports whether clients accept the certificate for a server. Without any extended key usage it is accepted
// for every use.
func servesAs(leaf *x509.Certificate) bool {
	none := len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0
	return none || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func loadKey(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, blocks, err := readPEM(PrivateKey, path)
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		switch {
		case b.named() != aKey:
		case b.encrypted:
			return nil, &FileError{PrivateKey, path, fmt.Errorf("line %d: the private key is encrypted; `openssl pkey -in FILE -out NEW` decrypts it", b.line)}
		case b.kind == "OPENSSH "+keyKind:
			return nil, &FileError{PrivateKey, path, fmt.Errorf("line %d: the private key is in OpenSSH's format", b.line)}
		default:
			return b.encoded(), nil
		}
	}
	return nil, &FileError{PrivateKey, path, missing(aKey, text, blocks)}
}

// loadClientCAs reads the CA certificates that client certificates must chain to.
func loadClientCAs(path string, now time.Time) (*authorities, error) {
	certificates, err := loadCertificates(ClientCA, path)
	if err != nil {
		return nil, err
	}
	found := &authorities{pool: x509.NewCertPool()}
	usable := false
	for _, c := range certificates {
		found.pool.AddCert(c.Certificate)
		if !slices.ContainsFunc(found.list, c.Equal) {
			found.list = append(found.list, c.Certificate)
		}
		usable = usable || wrongWith(c.Certificate, now) == ""
	}
	if usable {
		return found, nil
	}
	// No client could connect: that cannot be meant.
	first := certificates[0].Certificate
	return nil, &FileError{ClientCA, path, fmt.Errorf("it has no CA certificate that can be used: %s %s", nameOf(first), wrongWith(first, now))}
}

// authorities are the CAs whose client certificates are accepted.
type authorities struct {
	pool *x509.CertPool
	list []*x509.Certificate
}

// equal reports whether both accept the same clients; nil requires no client certificate.
func (a *authorities) equal(b *authorities) bool {
	return a == b || a != nil && b != nil && a.pool.Equal(b.pool)
}

// all returns the certificates; none when no client certificate is required.
func (a *authorities) all() []*x509.Certificate {
	if a == nil {
		return nil
	}
	return a.list
}

// String lists the CAs, at most maxListed, with the day they expire.
func (a *authorities) String() string {
	var names []string
	for i, ca := range a.all() {
		if i == maxListed {
			names = append(names, fmt.Sprintf("and %d more", len(a.list)-maxListed))
			break
		}
		names = append(names, nameOf(ca)+", expires "+ca.NotAfter.UTC().Format(time.DateOnly))
	}
	return strings.Join(names, "; ")
}

// wrongWith says why this CA certificate admits no client.
func wrongWith(ca *x509.Certificate, now time.Time) string {
	const x509v3 = 3
	switch {
	case ca.BasicConstraintsValid && !ca.IsCA, ca.Version >= x509v3 && !ca.BasicConstraintsValid,
		ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return "is no CA certificate but one of a server or client, such as step-ca's own, which is replaced every day; the root of the CA is wanted"
	case now.After(ca.NotAfter):
		return "expired at " + ca.NotAfter.UTC().Format(time.RFC3339) + ", so the client certificates that it issued are refused"
	case now.Before(ca.NotBefore):
		return "is not valid before " + ca.NotBefore.UTC().Format(time.RFC3339)
	}
	return ""
}

// loadCertificates reads the certificates of a PEM file, at least one; it may hold other blocks too.
func loadCertificates(role Role, path string) ([]read, error) {
	text, blocks, err := readPEM(role, path)
	if err != nil {
		return nil, err
	}
	var certificates []read
	for _, b := range blocks {
		if b.kind != certificateKind {
			continue
		}
		certificate, err := x509.ParseCertificate(b.bytes)
		if err != nil {
			what := "is damaged"
			if strings.Contains(err.Error(), "unsupported") {
				what = "cannot be used"
			}
			return nil, &FileError{role, path, fmt.Errorf("line %d: the certificate that begins here %s: %w", b.line, what, err)}
		}
		certificates = append(certificates, read{certificate, b})
	}
	if len(certificates) == 0 {
		return nil, &FileError{role, path, missing(aCertificate, text, blocks)}
	}
	return certificates, nil
}

// readPEM reads a file and its blocks. A file without blocks is not an error here.
func readPEM(role Role, path string) (text []byte, blocks []block, err error) {
	text, err = readFile(role, path, maxPEM)
	if err != nil {
		return nil, nil, err
	}
	blocks, err = parsePEM(text)
	if err != nil {
		return nil, nil, &FileError{role, path, err}
	}
	return text, blocks, nil
}

func readFile(role Role, path string, most int) ([]byte, error) {
	file, err := filesys.Open(path)
	if err != nil {
		return nil, &FileError{role, path, filesys.Cause(err)}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	switch {
	case err != nil:
		return nil, &FileError{role, path, filesys.Cause(err)}
	case len(text) > most:
		return nil, &FileError{role, path, fmt.Errorf("it has more than %d bytes", most)}
	}
	return text, nil
}

package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/authority"
)

// pair is the server certificate with its chain.
type pair struct {
	*tls.Certificate
	chain []*x509.Certificate // all of the file, leaf first
}

// loadPair reads the server certificate and its key, and checks that they can be used at the time
// now. Either path may be empty: then only the other file is checked, and the pair is nil. The error
// joins an *authority.FileError for each file with a fault.
func loadPair(certificate, privateKey authority.File, now time.Time) (*pair, error) {
	chain, errCertificate := loadChain(certificate, now)
	key, errKey := loadKey(privateKey)
	certificateHas, keyHas := (*authority.LackingError)(nil), (*authority.LackingError)(nil)
	if errors.As(errCertificate, &certificateHas) && errors.As(errKey, &keyHas) && certificateHas.Found == authority.AKey && keyHas.Found == authority.ACertificate {
		return nil, wrong(certificate, errors.New("it has a private key, and the file of "+privateKey.Setting+" has a certificate: the two are swapped"))
	}
	if err := errors.Join(errCertificate, errKey); err != nil || chain == nil || key == nil {
		return nil, err
	}
	made := &pair{}
	var encoded []byte
	for _, c := range chain {
		encoded = append(encoded, c.Encoded()...)
		made.chain = append(made.chain, c.Certificate)
	}
	matched, err := tls.X509KeyPair(encoded, key)
	if err == nil {
		made.Certificate = &matched
		return made, nil
	}
	if !strings.Contains(err.Error(), "does not match") {
		return nil, wrong(privateKey, fmt.Errorf("it cannot be used: %w", err))
	}
	for i, c := range chain[1:] {
		if _, err := tls.X509KeyPair(c.Encoded(), key); err == nil {
			return nil, wrong(certificate, fmt.Errorf("line %d: the key belongs to certificate %d, and not to the first; put the server certificate first, and the certificate of its issuer after it", c.Line(), i+2))
		}
	}
	return nil, wrong(privateKey, fmt.Errorf("it does not belong to the first certificate in %s, which is %s", certificate.Path, authority.NameOf(chain[0].Certificate)))
}

func loadChain(certificate authority.File, now time.Time) ([]authority.Placed, error) {
	if certificate.Path == "" {
		return nil, nil
	}
	chain, err := authority.LoadCertificates(certificate)
	if err != nil {
		return nil, err
	}
	switch leaf := chain[0]; {
	case now.Before(leaf.NotBefore):
		return nil, wrong(certificate, fmt.Errorf("not valid before %s; is the clock right?", leaf.NotBefore.Format(time.RFC3339)))
	case now.After(leaf.NotAfter):
		return nil, wrong(certificate, fmt.Errorf("expired at %s; `step ca renew` renews it, with --allow-renewal-after-expiry of its provisioner", leaf.NotAfter.Format(time.RFC3339)))
	case !servesAs(leaf.Certificate):
		return nil, wrong(certificate, errors.New("its extended key usage lacks serverAuth: step-ca refuses it, as every client does"))
	}
	return chain, nil
}

// servesAs reports whether clients accept the certificate for a server. Without any extended key usage it is accepted
// for every use.
func servesAs(leaf *x509.Certificate) bool {
	none := len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0
	return none || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func loadKey(privateKey authority.File) ([]byte, error) {
	if privateKey.Path == "" {
		return nil, nil
	}
	return authority.LoadKey(privateKey)
}

func wrong(file authority.File, err error) error {
	return &authority.FileError{File: file, Err: err}
}

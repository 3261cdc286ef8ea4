package profile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

const acceptedRoot = "; accepted: a PEM file with one certificate, the root of the CA"

// ReadRoot reads the root of a CA from PEM. Anything else would make every device trust it, or would not work: another
// certificate, several, an expired one, a private key.
func ReadRoot(text []byte, now time.Time) (*x509.Certificate, error) {
	var ders [][]byte
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return nil, errors.New("has a private key, which must not leave the CA" + acceptedRoot)
		case block.Type != "CERTIFICATE":
			return nil, fmt.Errorf("has a %q%s", block.Type, acceptedRoot)
		}
		ders = append(ders, block.Bytes)
	}
	switch {
	case bytes.Count(text, []byte("-----BEGIN ")) != len(ders):
		return nil, errors.New("is damaged" + acceptedRoot)
	case len(ders) == 0:
		return nil, errors.New("has no certificate in PEM" + acceptedRoot)
	case len(ders) > 1:
		return nil, fmt.Errorf("has %d certificates%s", len(ders), acceptedRoot)
	}
	root, err := x509.ParseCertificate(ders[0])
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, acceptedRoot)
	}
	const date = time.DateOnly
	switch {
	case !root.BasicConstraintsValid || !root.IsCA:
		return nil, errors.New("is not the certificate of a CA" + acceptedRoot)
	case !bytes.Equal(root.RawSubject, root.RawIssuer):
		return nil, errors.New("is the certificate of an intermediate CA" + acceptedRoot)
	case now.After(root.NotAfter):
		return nil, fmt.Errorf("has expired on %s%s", root.NotAfter.UTC().Format(date), acceptedRoot)
	case now.Before(root.NotBefore):
		return nil, fmt.Errorf("is not valid before %s%s", root.NotBefore.UTC().Format(date), acceptedRoot)
	}
	if err := root.CheckSignatureFrom(root); err != nil {
		return nil, fmt.Errorf("did not sign itself: %w%s", err, acceptedRoot)
	}
	return root, nil
}

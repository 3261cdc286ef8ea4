package authority

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// LoadRevocations reads the lists of a file, and verifies them with the CAs and the certificates in the file. All are
// refused when one of them is: a certificate on it would be accepted. Without CAs, which then have a fault of their own,
// only their form is checked. previous are the lists in effect, which older ones must not replace; nil: none are. Its error
// is a *FileError.
func LoadRevocations(file File, cas *Authorities, previous *Revocations, now time.Time) (*Revocations, error) {
	text, err := readFile(file, maxCRL)
	if err != nil {
		return nil, err
	}
	found, err := readRevocations(text, cas, now)
	if err == nil {
		err = found.follows(previous, cas)
	}
	if err != nil {
		return nil, file.wrong(err)
	}
	found.setting = file.Setting
	return found, nil
}

func readRevocations(text []byte, cas *Authorities, now time.Time) (*Revocations, error) {
	parts, err := partsOf(text)
	if err != nil {
		return nil, err
	}
	signers := newSigners(cas, now)
	for _, p := range parts {
		if p.certificate != nil {
			signers.add(p.certificate)
		}
	}
	found := &Revocations{}
	for _, p := range parts {
		if p.certificate != nil {
			continue
		}
		list, err := signers.read(p.bytes)
		if err == nil {
			err = found.add(list)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the list that begins here cannot be used: %w", p.place, err)
		}
	}
	return found, nil
}

// part is a certificate, or a list that was not parsed yet.
type part struct {
	place       string
	bytes       []byte
	certificate *x509.Certificate // nil for a list
}

// partsOf splits a file, PEM or DER, into certificates and at least one list. Anything else is an error.
func partsOf(text []byte) ([]part, error) {
	var parts []part
	if isBinary(text) {
		var err error
		if parts, err = partsOfDER(text); err != nil {
			return nil, err
		}
	} else {
		blocks, err := parsePEM(text)
		if err != nil {
			return nil, err
		}
		for _, b := range blocks {
			p := part{place: fmt.Sprintf("line %d", b.line), bytes: b.bytes}
			switch b.kind {
			case certificateKind:
				if p.certificate, err = x509.ParseCertificate(b.bytes); err != nil {
					return nil, fmt.Errorf("%s: the certificate that begins here is damaged: %w", p.place, err)
				}
			case listKind:
			default:
				return nil, fmt.Errorf("%s: %s begins here; only revocation lists, and certificates of their issuers, belong into this file", p.place, b.named())
			}
			parts = append(parts, p)
		}
	}
	if !slices.ContainsFunc(parts, func(p part) bool { return p.certificate == nil }) {
		found := ""
		if len(parts) > 0 {
			found = ACertificate
		}
		return nil, &LackingError{aList, found}
	}
	return parts, nil
}

// partsOfDER splits lists and certificates in DER, one after the other.
func partsOfDER(text []byte) (parts []part, err error) {
	for rest := text; len(rest) > 0; {
		p := part{place: fmt.Sprintf("byte %d", len(text)-len(rest)+1)}
		if p.bytes, rest, err = element(rest); err != nil {
			return nil, fmt.Errorf("%s: neither a revocation list nor a certificate in DER begins here; the file may be cut off, or have something behind a list", p.place)
		}
		if certificate, err := x509.ParseCertificate(p.bytes); err == nil {
			p.certificate = certificate
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// digits are a number in decimal, as step-ca has serial numbers, cut: it may be of any size.
func digits(n *big.Int) string { return fmt.Sprintf("%.64s", n.String()) }

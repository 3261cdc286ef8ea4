package authority

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"
)

// signers are the certificates that may have signed a list.
type signers struct {
	cas    *Authorities // nil: signatures are not verified
	now    time.Time
	inFile []*x509.Certificate
	pool   *x509.CertPool // of inFile
}

func newSigners(cas *Authorities, now time.Time) *signers {
	return &signers{cas: cas, now: now, pool: x509.NewCertPool()}
}

func (s *signers) add(c *x509.Certificate) {
	s.inFile = append(s.inFile, c)
	s.pool.AddCert(c)
}

// read parses a list and verifies it.
func (s *signers) read(der []byte) (*revocationList, error) {
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("it is damaged, or no list of version 2: %w", err)
	}
	// Go's parser ignores what follows, and an element that it does not expect: extensions behind that one too.
	if len(parsed.Raw) != len(der) || !complete(parsed.RawTBSRevocationList) {
		return nil, errors.New("it is damaged: it has something that belongs to no list")
	}
	point, part, err := extensionsOf(parsed.Extensions)
	if err != nil {
		return nil, err
	}
	list := &revocationList{
		scope: scope{issuer: string(parsed.RawIssuer), point: string(point)}, part: part,
		issuer: nameIn(parsed.Issuer), number: parsed.Number, made: parsed.ThisUpdate, next: parsed.NextUpdate,
	}
	if list.serials, err = serialsOf(parsed.RevokedCertificateEntries); err != nil {
		return nil, err
	}
	if s.cas == nil {
		return list, nil
	}
	signer, err := s.signerOf(parsed)
	if err != nil {
		return nil, err
	}
	list.scope.key, list.roots = string(signer.certificate.RawSubjectPublicKeyInfo), signer.roots
	return list, nil
}

// serialsOf are the serial numbers of the entries, as keys. They share one text: a large list would have an object for each.
func serialsOf(entries []x509.RevocationListEntry) (map[string]struct{}, error) {
	var all strings.Builder
	ends := make([]int, len(entries))
	for i, entry := range entries {
		for _, e := range entry.Extensions {
			// An entry with certificateIssuer is about a certificate of another CA.
			if e.Critical || e.Id.Equal(oid(idCertificateIssuer)) {
				return nil, fmt.Errorf("its entry %d has the extension %s, whose meaning is not known here, so that it could not be followed", i+1, e.Id)
			}
		}
		all.WriteString(serialKey(entry.SerialNumber))
		ends[i] = all.Len()
	}
	serials := make(map[string]struct{}, len(entries))
	begin := 0
	for _, end := range ends {
		serials[all.String()[begin:end]] = struct{}{}
		begin = end
	}
	return serials, nil
}

// signer is the certificate that signed a list, and the CAs that it chains to.
type signer struct {
	certificate *x509.Certificate
	roots       []*x509.Certificate
}

// signerOf returns the certificate that signed a list. It is one of the CAs, or one in the file that chains to them. A CA
// with the name of the issuer, but another key, is not it.
func (s *signers) signerOf(list *x509.RevocationList) (signer, error) {
	switch list.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		// x509.RevocationList.CheckSignatureFrom accepts SHA-1.
		return signer{}, fmt.Errorf("it is signed with %s, which can be forged; SHA-256 or better is wanted", list.SignatureAlgorithm)
	default:
	}
	var why error
	for _, candidates := range [][]*x509.Certificate{s.cas.All(), s.inFile} {
		for _, c := range candidates {
			if !bytes.Equal(c.RawSubject, list.RawIssuer) {
				continue
			}
			roots, err := s.verify(list, c)
			if err == nil {
				return signer{c, roots}, nil
			}
			why = err
		}
	}
	if why == nil {
		why = fmt.Errorf("the certificate of its issuer, %s, is neither in %s nor in the file; give the list of a CA in %[2]s, or append that certificate to the file", nameIn(list.Issuer), s.cas.file.Setting)
	}
	return signer{}, why
}

// verify verifies that a certificate with the name of the issuer signed the list, may do so, and is trusted now.
func (s *signers) verify(list *x509.RevocationList, c *x509.Certificate) (roots []*x509.Certificate, err error) {
	if err := list.CheckSignatureFrom(c); err != nil {
		if errors.As(err, new(x509.ConstraintViolationError)) {
			return nil, fmt.Errorf("the certificate of its issuer, %s, may not sign lists: it is no CA, or its key usage lacks cRLSign", NameOf(c))
		}
		return nil, fmt.Errorf("its signature is not by the key of %s: %w", NameOf(c), err)
	}
	chains, err := c.Verify(x509.VerifyOptions{
		Roots: s.cas.pool, Intermediates: s.pool, CurrentTime: s.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, fmt.Errorf("the certificate of its issuer, %s, does not chain to a CA in %s: %w", NameOf(c), s.cas.file.Setting, err)
	}
	for _, chain := range chains {
		roots = append(roots, chain[len(chain)-1])
	}
	return roots, nil
}

// The extensions that are known here; all are below 2.5.29, id-ce.
const (
	idDeltaCRLIndicator        = 27
	idIssuingDistributionPoint = 28
	idCertificateIssuer        = 29
)

func oid(id int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, id} }

// extensionsOf checks the extensions of a list. It returns the issuing distribution point, and which certificates the list
// is limited to. A critical extension that is not known here may change what the entries mean, so it is refused.
func extensionsOf(extensions []pkix.Extension) (point []byte, part string, err error) {
	seen := map[string]bool{}
	for _, e := range extensions {
		if seen[e.Id.String()] {
			return nil, "", fmt.Errorf("it is damaged: it has the extension %s twice", e.Id)
		}
		seen[e.Id.String()] = true
		switch {
		case e.Id.Equal(oid(idDeltaCRLIndicator)):
			return nil, "", errors.New("it is a delta list, which names only what has changed; the complete list is wanted")
		case e.Id.Equal(oid(idIssuingDistributionPoint)):
			point = e.Value
			if part, err = partOf(e.Value); err != nil {
				return nil, "", err
			}
		case e.Critical:
			return nil, "", fmt.Errorf("it has the critical extension %s, whose meaning is not known here, so that it could not be followed", e.Id)
		}
	}
	return point, part, nil
}

// The fields of an issuing distribution point, by their tags.
const (
	pointName = iota
	pointUsers
	pointCAs
	pointReasons
	pointIndirect
	pointAttributes
)

// What a list may be limited to; for messages.
const (
	usersOnly = "certificates of end entities"
	casOnly   = "certificates of CAs"
)

// partOf reads an issuing distribution point: which certificates the list is limited to.
//
// A list of end entities or of CAs only is accepted, because all its entries count, and the list of the others may be in
// the file too. One of some reasons only is refused: certificates that were revoked for other reasons would be admitted
// though there is a list. An indirect one is refused because its entries may be of other issuers, and one of attribute
// certificates because its serial numbers are those of something else.
func partOf(der []byte) (part string, err error) {
	const malformed = "it is damaged: its issuing distribution point cannot be read"
	point, rest, err := element(der)
	if err != nil || len(rest) > 0 {
		return "", errors.New(malformed)
	}
	for rest = contentOf(point); len(rest) > 0; {
		var field asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &field); err != nil || field.Class != asn1.ClassContextSpecific {
			return "", errors.New(malformed)
		}
		is := field.Tag == pointName || field.Tag == pointReasons || !bytes.Equal(field.Bytes, []byte{0})
		switch {
		case !is, field.Tag == pointName:
		case field.Tag == pointUsers:
			part = usersOnly
		case field.Tag == pointCAs:
			part = casOnly
		case field.Tag == pointReasons:
			return "", errors.New("it names what was revoked for some reasons only (onlySomeReasons); the list for all reasons is wanted")
		case field.Tag == pointIndirect:
			return "", errors.New("it is an indirect list, with certificates of other issuers; the issuer's own list is wanted")
		case field.Tag == pointAttributes:
			return "", errors.New("it names attribute certificates only; a list of certificates is wanted")
		default:
			return "", errors.New(malformed)
		}
	}
	return part, nil
}

// complete reports whether a TBSCertList has its elements and nothing else.
func complete(der []byte) bool {
	const (
		required = 4 // version, signature, issuer, thisUpdate
		context  = asn1.ClassContextSpecific
	)
	rest := contentOf(der)
	optional := []func(asn1.RawValue) bool{
		func(v asn1.RawValue) bool { return v.Tag == asn1.TagUTCTime || v.Tag == asn1.TagGeneralizedTime }, // nextUpdate
		func(v asn1.RawValue) bool { return v.Class != context && v.Tag == asn1.TagSequence },              // revokedCertificates
		func(v asn1.RawValue) bool { return v.Class == context && v.Tag == 0 },                             // crlExtensions
	}
	for i := 0; len(rest) > 0; i++ {
		var value asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &value); err != nil {
			return false
		}
		if i < required {
			continue
		}
		for len(optional) > 0 && !optional[0](value) {
			optional = optional[1:]
		}
		if len(optional) == 0 {
			return false
		}
		optional = optional[1:]
	}
	return true
}

// element cuts the first sequence off.
func element(der []byte) (first, rest []byte, err error) {
	var value asn1.RawValue
	rest, err = asn1.Unmarshal(der, &value)
	if err == nil && (value.Class != asn1.ClassUniversal || value.Tag != asn1.TagSequence) {
		err = errors.New("not a sequence")
	}
	return value.FullBytes, rest, err
}

// contentOf is what is in an element.
func contentOf(der []byte) []byte {
	var value asn1.RawValue
	if _, err := asn1.Unmarshal(der, &value); err != nil {
		return nil
	}
	return value.Bytes
}

// nameIn names an issuer in messages.
func nameIn(name pkix.Name) string {
	if name.CommonName != "" {
		return fmt.Sprintf("%.64q", name.CommonName)
	}
	return fmt.Sprintf("%.64q", name.String())
}

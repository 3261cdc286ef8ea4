package webhook

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/posture"
)

const (
	oidCommonName           = "2.5.4.3"
	oidSubjectAltName       = "2.5.29.17"
	oidPermanentIdentifier  = "1.3.6.1.5.5.7.8.3" // RFC 4043
	typePermanentIdentifier = "permanentIdentifier"
	generalNameOtherName    = 0 // context-specific tag, RFC 5280 section 4.2.1.6
)

// identify finds out which device the request is about, and refuses a request whose certificate
// would name another one.
func identify(body *requestBody) (posture.Identifier, *Problem) {
	var none posture.Identifier
	// An order without attestation on a device webhook (another challenge, another provisioner)
	// names a device that nobody vouched for. Fail closed.
	if body.AttestationData == nil || body.AttestationData.PermanentIdentifier == "" {
		return none, problem(codeAttestationMissing, "no attestationData.permanentIdentifier: the order was not a device-attest-01 order")
	}
	id, err := posture.ParseIdentifier(body.AttestationData.PermanentIdentifier)
	if err != nil {
		return none, &Problem{posture.IdentifierInvalid, err}
	}
	var names claimedNames
	switch {
	case body.X509CertificateRequest != nil:
		names, err = body.X509CertificateRequest.names()
	case body.X509Certificate != nil:
		names, err = body.X509Certificate.names()
	default:
		// step-ca attests X.509 orders only. The names in an SSH certificate are not compared
		// with the device here, so none is let through.
		return none, problem(codeAttestationMissing, "an SSH certificate cannot be attested by device-attest-01")
	}
	if err != nil {
		return none, &Problem{codeMalformed, err}
	}
	if p := names.check(id); p != nil {
		return none, p
	}
	return id, nil
}

// claimedNames are the names by which a certificate would claim to be a device.
type claimedNames struct {
	subjects             [][]string // the common names of each form of the subject
	permanentIdentifiers []string   // "" where a SAN has none
}

// check compares byte for byte: whoever reads the certificate later may do the same.
func (n claimedNames) check(id posture.Identifier) *Problem {
	for _, commonNames := range n.subjects {
		if len(commonNames) > 1 {
			return problem(codeCommonNameMismatch, "the subject has %d common names", len(commonNames))
		}
		for _, name := range commonNames {
			if name != id.String() {
				return problem(codeCommonNameMismatch, "the common name is %q, the attested identifier %q", name, id)
			}
		}
	}
	for _, name := range n.permanentIdentifiers {
		if name != id.String() {
			return problem(codeSANMismatch, "a permanent identifier SAN is %q, the attested identifier %q", name, id)
		}
	}
	return nil
}

// names reads the CSR. Its self-signature is not verified again: step-ca did before it called,
// and it would cost ten times the rest of the request.
func (c *certificateRequest) names() (claimedNames, error) {
	if len(c.Raw) == 0 {
		return claimedNames{}, errors.New("x509CertificateRequest.raw is missing")
	}
	if commonNames, ok := readPlainCSR(c.Raw); ok {
		names := claimedNames{subjects: [][]string{commonNames}}
		return names, names.addSANs(c.SANs, c.Extensions)
	}
	csr, err := x509.ParseCertificateRequest(c.Raw)
	if err != nil {
		return claimedNames{}, fmt.Errorf("parse x509CertificateRequest.raw: %w", err)
	}
	names := claimedNames{subjects: [][]string{commonNames(csr.Subject)}}
	subjectAltName := asn1.ObjectIdentifier{2, 5, 29, 17}
	for _, ext := range csr.Extensions {
		if ext.Id.Equal(subjectAltName) {
			if err := names.addSANExtension(ext.Value); err != nil {
				return claimedNames{}, err
			}
		}
	}
	return names, names.addSANs(c.SANs, c.Extensions)
}

func (c *certificate) names() (claimedNames, error) {
	var inSubject []string
	if c.Subject.CommonName != "" {
		inSubject = append(inSubject, c.Subject.CommonName)
	}
	for _, extra := range c.Subject.ExtraNames {
		if extra.Type != oidCommonName {
			continue
		}
		var value string
		if err := json.Unmarshal(extra.Value, &value); err != nil {
			return claimedNames{}, fmt.Errorf("decode common name in x509Certificate.subject.extraNames: %w", err)
		}
		inSubject = append(inSubject, value)
	}
	names := claimedNames{subjects: [][]string{inSubject}}
	if len(c.RawSubject) > 0 {
		var sequence pkix.RDNSequence
		if rest, err := asn1.Unmarshal(c.RawSubject, &sequence); err != nil || len(rest) > 0 {
			return claimedNames{}, errors.New("x509Certificate.rawSubject is not the DER of a name")
		}
		var name pkix.Name
		name.FillFromRDNSequence(&sequence)
		names.subjects = append(names.subjects, commonNames(name))
	}
	return names, names.addSANs(c.SANs, c.Extensions)
}

// commonNames returns all common names of a subject; an empty one counts as absent, as for step-ca.
func commonNames(name pkix.Name) []string {
	var found []string
	commonName := asn1.ObjectIdentifier{2, 5, 4, 3}
	for _, attribute := range name.Names {
		if !attribute.Type.Equal(commonName) {
			continue
		}
		value, ok := attribute.Value.(string)
		if !ok {
			value = "\x00" // no string, so nothing to compare: it must differ from every identifier
		}
		if value != "" {
			found = append(found, value)
		}
	}
	return found
}

// addSANs adds the permanent identifiers of the two JSON forms of subject alternative names.
func (n *claimedNames) addSANs(sans []san, extensions []extension) error {
	for _, s := range sans {
		if s.Type != oidPermanentIdentifier && !strings.EqualFold(s.Type, typePermanentIdentifier) {
			continue
		}
		value, err := s.permanentIdentifier()
		if err != nil {
			return err
		}
		n.permanentIdentifiers = append(n.permanentIdentifiers, value)
	}
	for _, ext := range extensions {
		if ext.ID == oidSubjectAltName {
			if err := n.addSANExtension(ext.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// permanentIdentifier returns the identifier that step-ca would put into the SAN: that of
// asn1Value where there is one, else value.
func (s san) permanentIdentifier() (string, error) {
	if len(s.ASN1Value) == 0 || s.ASN1Value.Kind() == 'n' {
		return s.Value, nil
	}
	var value struct {
		Identifier string `json:"identifier"`
	}
	if err := json.Unmarshal(s.ASN1Value, &value); err != nil {
		return "", fmt.Errorf("decode asn1Value of a permanent identifier SAN: %w", err)
	}
	return value.Identifier, nil
}

// addSANExtension adds the permanent identifiers of a DER subjectAltName extension. Every other
// kind of name is passed over.
func (n *claimedNames) addSANExtension(der []byte) error {
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 {
		return errors.New("the subjectAltName extension is not valid DER")
	}
	for _, name := range names {
		if name.Class != asn1.ClassContextSpecific || name.Tag != generalNameOtherName {
			continue
		}
		value, is, err := permanentIdentifier(name.Bytes)
		if err != nil {
			return err
		}
		if is {
			n.permanentIdentifiers = append(n.permanentIdentifiers, value)
		}
	}
	return nil
}

// permanentIdentifier reads the contents of an otherName; it reports whether it is a permanent
// identifier (RFC 4043 section 2) at all. One that has no identifier value is returned as "".
func permanentIdentifier(otherName []byte) (value string, is bool, err error) {
	var oid asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(otherName, &oid)
	if err != nil {
		return "", false, errors.New("an otherName in the subjectAltName extension has no type")
	}
	if !oid.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}) { // id-on-permanentIdentifier
		return "", false, nil
	}
	var content struct {
		IdentifierValue string                `asn1:"utf8,optional"`
		Assigner        asn1.ObjectIdentifier `asn1:"optional"`
	}
	if rest, err = asn1.UnmarshalWithParams(rest, &content, "explicit,tag:0"); err != nil || len(rest) > 0 {
		return "", false, errors.New("a permanent identifier in the subjectAltName extension is not valid DER")
	}
	return content.IdentifierValue, true, nil
}

package webhook

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

const oidCommonName = "2.5.4.3"

// identify finds out which device the request is about, and refuses a request whose certificate
// would name another one.
func identify(body *requestBody) (posture.Identifier, *Problem) {
	var none posture.Identifier
	// An order without attestation on a device webhook (another challenge, another provisioner)
	// names a device without any proof. Fail closed.
	if body.AttestationData == nil || body.AttestationData.PermanentIdentifier == "" {
		return none, problemf(codeAttestationMissing, "no attestationData.permanentIdentifier: the order was not a device-attest-01 order")
	}
	id, err := posture.ParseIdentifier(body.AttestationData.PermanentIdentifier)
	if err != nil {
		return none, &Problem{posture.IdentifierInvalid, err}
	}
	var names claimedNames
	var p *Problem
	switch {
	case body.X509CertificateRequest != nil:
		names, p = body.X509CertificateRequest.names()
	case body.X509Certificate != nil:
		names, p = body.X509Certificate.names()
	default:
		// step-ca attests X.509 orders only. Nothing here compares the names in an SSH certificate
		// with the device, so every SSH request is refused.
		return none, problemf(codeAttestationMissing, "an SSH certificate cannot be attested by device-attest-01")
	}
	if p == nil {
		p = names.check(id)
	}
	if p != nil {
		return none, p
	}
	return id, nil
}

// claimedNames are the names of a device in the certificate that step-ca would issue.
type claimedNames struct {
	subjects             [][]string // the common names of each form of the subject
	permanentIdentifiers []string   // "" where a SAN has none
}

// check compares byte for byte: the programs that read the certificate later may do the same.
func (n claimedNames) check(id posture.Identifier) *Problem {
	for _, commonNames := range n.subjects {
		if len(commonNames) > 1 {
			return problemf(codeCommonNameMismatch, "the subject has %d common names", len(commonNames))
		}
		for _, name := range commonNames {
			if name != id.String() {
				return problemf(codeCommonNameMismatch, "the common name is %q, the attested identifier %q", name, id)
			}
		}
	}
	for _, name := range n.permanentIdentifiers {
		if name != id.String() {
			return problemf(codeSANMismatch, "a permanent identifier SAN is %q, the attested identifier %q", name, id)
		}
	}
	return nil
}

func (c *certificateRequest) names() (claimedNames, *Problem) {
	csr, p := c.read()
	if p != nil {
		return claimedNames{}, p
	}
	names := claimedNames{subjects: [][]string{csr.commonNames}}
	for _, der := range csr.subjectAltNames {
		if p := names.addSANExtension(der); p != nil {
			return claimedNames{}, p
		}
	}
	p = names.addSANs(c.SANs, c.Extensions)
	return names, p
}

// csrContents is what a CSR asks for.
type csrContents struct {
	commonNames     []string
	subjectAltNames [][]byte // the DER of each extension
	keyType         string   // "" is unknown
	keyBits         int64
	key             [sha256.Size]byte // see audit.Event.PublicKey; zero is unknown
}

// read reads the CSR, once: rules read it again. Its self-signature is not verified again: step-ca did before it called,
// and it would cost ten times the rest of the request.
func (c *certificateRequest) read() (csrContents, *Problem) {
	var p *Problem
	if !c.wasRead {
		c.contents, p = c.parse()
		c.wasRead = p == nil
	}
	return c.contents, p
}

func (c *certificateRequest) parse() (csrContents, *Problem) {
	if len(c.Raw) == 0 {
		return csrContents{}, problemf(codeMalformed, "x509CertificateRequest.raw is missing")
	}
	if csr, ok := readPlainCSR(c.Raw); ok {
		return csr, nil
	}
	csr, err := x509.ParseCertificateRequest(c.Raw)
	if err != nil {
		return csrContents{}, problemf(codeMalformed, "parse x509CertificateRequest.raw: %w", err)
	}
	contents := csrContents{commonNames: certname.CommonNames(csr.Subject)}
	contents.keyType, contents.keyBits = certname.DescribeKey(csr.PublicKey)
	if key, err := enroll.KeyOf(csr.PublicKey); err == nil {
		contents.key = key // of the form that the certificate will have
	}
	subjectAltName := asn1.ObjectIdentifier{2, 5, 29, 17}
	for _, ext := range csr.Extensions {
		if ext.Id.Equal(subjectAltName) {
			contents.subjectAltNames = append(contents.subjectAltNames, ext.Value)
		}
	}
	return contents, nil
}

// names reads a certificate that is not made yet: it exists as JSON only.
func (c *certificate) names() (claimedNames, *Problem) {
	subjects, p := c.subjects()
	if p != nil {
		return claimedNames{}, p
	}
	names := claimedNames{subjects: subjects}
	p = names.addSANs(c.SANs, c.Extensions)
	return names, p
}

// subjects are the common names of each form of the subject.
func (c *certificate) subjects() ([][]string, *Problem) {
	var inSubject []string
	if c.Subject.CommonName != "" {
		inSubject = append(inSubject, c.Subject.CommonName)
	}
	for _, extra := range c.Subject.ExtraNames {
		if extra.Type != oidCommonName {
			if !certname.IsCanonicalOID(extra.Type) {
				return nil, problemf(codeCommonNameMismatch, "the subject has an attribute of the type %q, which is not a plain dotted OID, so step-ca may sign it as a common name", extra.Type)
			}
			continue
		}
		var value string
		if err := json.Unmarshal(extra.Value, &value); err != nil {
			return nil, problemf(codeMalformed, "decode common name in x509Certificate.subject.extraNames: %w", err)
		}
		inSubject = append(inSubject, value)
	}
	subjects := [][]string{inSubject}
	if len(c.RawSubject) > 0 {
		sequence, ok := certname.ParseName(c.RawSubject)
		if !ok {
			return nil, problemf(codeMalformed, "x509Certificate.rawSubject is not the DER of a name")
		}
		var name pkix.Name
		name.FillFromRDNSequence(&sequence)
		subjects = append(subjects, certname.CommonNames(name))
	}
	return subjects, nil
}

package webhook

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/posture"
)

// The words of request.key_type that this door knows; posture.KeyTypes has all.
const (
	keyTypeEC  = "EC"
	keyTypeRSA = "RSA"
	keyTypeOKP = "OKP"
)

// describe fills in what rules may know of the request; whole asks for the names by their kind too. What cannot be read stays
// unknown, so that no rule is met by it.
func (b *requestBody) describe(into *posture.Request, whole bool) {
	into.Provisioner = b.ProvisionerName
	switch {
	case b.X509CertificateRequest != nil:
		into.Kind = posture.Enriching
		b.X509CertificateRequest.describe(into, whole)
	case b.X509Certificate != nil:
		into.Kind = posture.Authorizing
		b.X509Certificate.describe(into, whole)
	case isSet(b.SSHCertificateRequest):
		into.Kind = posture.Enriching
	case isSet(b.SSHCertificate):
		into.Kind = posture.Authorizing
	}
}

// describe reads the DER of the CSR, and the JSON beside it. step-ca makes the JSON of the same DER, except that it adds the
// common name to the DNS names, in lower case: that one the client did not ask for.
func (c *certificateRequest) describe(into *posture.Request, whole bool) {
	names := nameList{}
	if whole {
		names.typed, into.CSR = &posture.CertificateNames{}, &posture.CertificateNames{}
	}
	csr, p := c.read()
	if p != nil {
		return
	}
	into.KeyType, into.KeyBits = csr.keyType, csr.keyBits
	for _, name := range csr.commonNames {
		names.add(commonNameKind, name, true)
	}
	for _, der := range csr.subjectAltNames {
		names.addExtension(der)
	}
	if whole {
		// Of the DER alone: what JSON has beside it counts in request.names.
		into.CSR, names.typed = names.finish(), nil
		if parsed, err := x509.ParseCertificateRequest(c.Raw); err == nil {
			into.CSR.SubjectSerialNumber = only(serialNumbersOf(parsed.Subject))
		}
	}
	names.addMember(c.DNSNames, func(text string) (string, bool) {
		for _, name := range csr.commonNames {
			if text == strings.ToLower(name) {
				return name, true
			}
		}
		return text, true
	}, dnsKind)
	names.addMember(c.EmailAddresses, plainName, emailKind)
	names.addMember(c.IPAddresses, ipName, ipKind)
	names.addMember(c.URIs, plainName, uriKind)
	names.addSANs(c.SANs, c.Extensions)
	into.Names = names.all()
}

// describe reads the JSON of a certificate that is not made yet. A template may write alternative names into members of their
// own, which step-ca signs where there is no extension for them.
func (c *certificate) describe(into *posture.Request, whole bool) {
	names := nameList{}
	if whole {
		names.typed, into.Certificate = &posture.CertificateNames{}, &posture.CertificateNames{}
	}
	var der []byte
	if json.Unmarshal(c.PublicKey, &der) == nil {
		if key, err := x509.ParsePKIXPublicKey(der); err == nil {
			into.KeyType, into.KeyBits = describeKey(key)
		}
	}
	subjects, p := c.subjects()
	if p != nil {
		return
	}
	for _, commonNames := range subjects {
		for _, name := range commonNames {
			names.add(commonNameKind, name, true)
		}
	}
	names.addMember(c.DNSNames, plainName, dnsKind)
	names.addMember(c.EmailAddresses, plainName, emailKind)
	names.addMember(c.IPAddresses, ipName, ipKind)
	names.addMember(c.URIs, plainName, uriKind)
	names.addSANs(c.SANs, c.Extensions)
	into.Names = names.all()
	if whole {
		into.Certificate = names.finish()
		into.Certificate.SubjectSerialNumber = only(c.subjectSerialNumbers())
	}
}

// subjectSerialNumbers are the serial numbers in each form of the subject.
func (c *certificate) subjectSerialNumbers() (all []string) {
	var text string
	if isSet(c.Subject.SerialNumber) {
		if json.Unmarshal(c.Subject.SerialNumber, &text) != nil {
			text = notText
		}
		all = append(all, text)
	}
	for _, extra := range c.Subject.ExtraNames {
		if extra.Type == oidSerialNumber {
			if json.Unmarshal(extra.Value, &text) != nil {
				text = notText
			}
			all = append(all, text)
		}
	}
	if sequence, ok := parseName(c.RawSubject); ok {
		var name pkix.Name
		name.FillFromRDNSequence(&sequence)
		all = append(all, serialNumbersOf(name)...)
	}
	return all
}

// oidSerialNumber is the attribute of a subject, which is not the serial number of the certificate.
const oidSerialNumber = "2.5.4.5"

// serialNumbersOf are the serial numbers in a subject.
func serialNumbersOf(name pkix.Name) (all []string) {
	for _, attribute := range name.Names {
		if attribute.Type.String() != oidSerialNumber {
			continue
		}
		text, ok := attribute.Value.(string)
		if !ok {
			text = notText
		}
		all = append(all, text)
	}
	return all
}

// only returns the one text that all are, or "" for unknown: with two, it is not known which of them a reader takes.
func only(all []string) string {
	if len(all) == 0 || all[0] == notText || slices.ContainsFunc(all, func(text string) bool { return text != all[0] }) {
		return ""
	}
	return all[0]
}

// describeKey returns the type of a key, in the words of JSON Web Keys (RFC 7518), and its size: of an elliptic key that of
// its curve, of an RSA key that of its modulus. Zero is unknown, and so are all other keys.
func describeKey(key any) (keyType string, bits int64) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return keyTypeEC, int64(key.Curve.Params().BitSize)
	case *rsa.PublicKey:
		return keyTypeRSA, int64(key.N.BitLen())
	case ed25519.PublicKey:
		const ed25519Bits = 256
		return keyTypeOKP, ed25519Bits
	default:
		return "", 0
	}
}

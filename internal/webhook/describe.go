package webhook

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/posture"
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
		names.Typed, into.CSR = &posture.CertificateNames{}, &posture.CertificateNames{}
	}
	csr, p := c.read()
	if p != nil {
		return
	}
	into.KeyType, into.KeyBits = csr.keyType, csr.keyBits
	for _, name := range csr.commonNames {
		names.Add(certname.CommonName, name, true)
	}
	for _, der := range csr.subjectAltNames {
		names.AddExtension(der)
	}
	if whole {
		// Of the DER alone: what JSON has beside it counts in request.names.
		into.CSR, names.Typed = names.Finish(), nil
		if parsed, err := x509.ParseCertificateRequest(c.Raw); err == nil {
			into.CSR.SubjectSerialNumber = certname.Only(certname.SerialNumbers(parsed.Subject))
		}
	}
	names.addMember(c.DNSNames, func(text string) (string, bool) {
		for _, name := range csr.commonNames {
			if text == strings.ToLower(name) {
				return name, true
			}
		}
		return text, true
	}, certname.DNS)
	names.addMember(c.EmailAddresses, plainName, certname.Email)
	names.addMember(c.IPAddresses, certname.IPAddress, certname.IP)
	names.addMember(c.URIs, plainName, certname.URI)
	names.addSANs(c.SANs, c.Extensions)
	into.Names = names.All()
}

// describe reads the JSON of a certificate that is not made yet. A template may write alternative names into members of their
// own, which step-ca signs where there is no extension for them.
func (c *certificate) describe(into *posture.Request, whole bool) {
	names := nameList{}
	if whole {
		names.Typed, into.Certificate = &posture.CertificateNames{}, &posture.CertificateNames{}
	}
	var der []byte
	if json.Unmarshal(c.PublicKey, &der) == nil {
		if key, err := x509.ParsePKIXPublicKey(der); err == nil {
			into.KeyType, into.KeyBits = certname.DescribeKey(key)
		}
	}
	subjects, p := c.subjects()
	if p != nil {
		return
	}
	for _, commonNames := range subjects {
		for _, name := range commonNames {
			names.Add(certname.CommonName, name, true)
		}
	}
	names.addMember(c.DNSNames, plainName, certname.DNS)
	names.addMember(c.EmailAddresses, plainName, certname.Email)
	names.addMember(c.IPAddresses, certname.IPAddress, certname.IP)
	names.addMember(c.URIs, plainName, certname.URI)
	names.addSANs(c.SANs, c.Extensions)
	into.Names = names.All()
	if whole {
		into.Certificate = names.Finish()
		into.Certificate.SubjectSerialNumber = certname.Only(c.subjectSerialNumbers())
	}
}

// subjectSerialNumbers are the serial numbers in each form of the subject.
func (c *certificate) subjectSerialNumbers() (all []string) {
	var text string
	if isSet(c.Subject.SerialNumber) {
		if json.Unmarshal(c.Subject.SerialNumber, &text) != nil {
			text = certname.NotText
		}
		all = append(all, text)
	}
	for _, extra := range c.Subject.ExtraNames {
		if extra.Type == certname.OIDSerialNumber {
			if json.Unmarshal(extra.Value, &text) != nil {
				text = certname.NotText
			}
			all = append(all, text)
		}
	}
	if sequence, ok := certname.ParseName(c.RawSubject); ok {
		var name pkix.Name
		name.FillFromRDNSequence(&sequence)
		all = append(all, certname.SerialNumbers(name)...)
	}
	return all
}

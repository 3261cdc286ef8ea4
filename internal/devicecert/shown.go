package devicecert

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/posture"
)

// Identity says which name of a certificate identifies the device.
type Identity string

// What can identify a device.
const (
	PermanentIdentifier Identity = "permanent_identifier" // the SAN of RFC 4043, which step-ca writes for an attested device
	CommonName          Identity = "common_name"
)

// Identities are the words of Identity.
func Identities() []string { return []string{string(PermanentIdentifier), string(CommonName)} }

// Shown is a certificate that was verified. What it says of the device is known; whose device it is, no inventory has said yet.
type Shown struct {
	// Names are for rules, as is the rest of this group; AllNames is nil where one name cannot be read.
	Names    posture.CertificateNames
	AllNames []string
	KeyType  string
	KeyBits  int64

	// Fingerprint is the SHA-256 of the whole certificate. Of one that a RADIUS server states, Attributes.Fingerprint is in its place.
	Fingerprint [sha256.Size]byte

	// PublicKey is the SHA-256 of the SubjectPublicKeyInfo; zero where a RADIUS server states the certificate, which leaves the key out.
	PublicKey [sha256.Size]byte

	commonNames          []string
	permanentIdentifiers []string // "" where a SAN has none
	hasProvisioner       bool
}

// read reads what a certificate says of the device.
func read(cert *x509.Certificate) (*Shown, *Problem) {
	s := &Shown{Fingerprint: sha256.Sum256(cert.Raw), PublicKey: sha256.Sum256(cert.RawSubjectPublicKeyInfo), commonNames: certname.CommonNames(cert.Subject)}
	names := certname.List{Typed: &posture.CertificateNames{}}
	for _, name := range s.commonNames {
		names.Add(certname.CommonName, name, true)
	}
	for _, ext := range cert.Extensions {
		switch ext.Id.String() {
		case certname.SubjectAltName:
			var err error
			if s.permanentIdentifiers, err = certname.AppendPermanentIdentifiers(s.permanentIdentifiers, ext.Value); err != nil {
				return nil, untrusted("the certificate cannot be read: %w", err)
			}
			names.AddExtension(ext.Value)
		case oidProvisioner:
			if p := s.readProvisioner(ext.Value); p != nil {
				return nil, p
			}
		}
	}
	provisioner, provisionerType := s.Names.Provisioner, s.Names.ProvisionerType
	s.Names, s.AllNames = *names.Finish(), names.All()
	s.Names.Provisioner, s.Names.ProvisionerType = provisioner, provisionerType
	s.Names.SubjectSerialNumber = certname.Only(certname.SerialNumbers(cert.Subject))
	s.Names.SerialNumber = hex.EncodeToString(cert.SerialNumber.Bytes())
	s.Names.NotBefore, s.Names.NotAfter = cert.NotBefore, cert.NotAfter
	s.KeyType, s.KeyBits = certname.DescribeKey(cert.PublicKey)
	return s, nil
}

// Name is the first name of the device in the certificate, for the log: nothing has compared it with the others.
func (s *Shown) Name() string {
	for _, names := range [...][]string{s.permanentIdentifiers, s.commonNames} {
		if len(names) > 0 {
			return names[0]
		}
	}
	return ""
}

// Identify returns the identifier of the device. All names that could be taken for one must agree, byte for byte: the programs
// that read the certificate later may take another one.
func (s *Shown) Identify(by Identity) (posture.Identifier, *Problem) {
	var none posture.Identifier
	permanent := ""
	if len(s.permanentIdentifiers) > 0 {
		permanent = s.permanentIdentifiers[0]
		if slices.ContainsFunc(s.permanentIdentifiers, func(other string) bool { return other != permanent }) {
			return none, problemf(posture.SANMismatch, "the certificate has different permanent identifiers: %.256q", s.permanentIdentifiers)
		}
	}
	if len(s.commonNames) > 1 {
		return none, problemf(posture.CommonNameMismatch, "the subject of the certificate has %d common names", len(s.commonNames))
	}
	name := ""
	if len(s.commonNames) == 1 {
		name = s.commonNames[0]
	}
	parse, text := posture.ParseIdentifier, permanent
	if by == CommonName {
		parse, text = posture.ParseRequested, name // as an expression of a webhook may have given it
	}
	switch {
	case text == "" && by == CommonName:
		return none, problemf(posture.IdentifierMissing, "the certificate has no common name")
	case text == "":
		return none, problemf(posture.IdentifierMissing, "the certificate has no permanentIdentifier SAN, which identifies a device unless identity is common_name")
	case by == CommonName && permanent != "" && permanent != name:
		return none, problemf(posture.SANMismatch, "the permanent identifier is %.256q, the common name %.256q", permanent, name)
	case by != CommonName && name != "" && name != permanent:
		return none, problemf(posture.CommonNameMismatch, "the common name is %.256q, the permanent identifier %.256q", name, permanent)
	}
	id, err := parse(text)
	if err != nil {
		return none, problemf(posture.IdentifierInvalid, "the identifier in the certificate: %w", err)
	}
	return id, nil
}

// Describe fills in what rules may know of the certificate.
func (s *Shown) Describe(into *posture.Request) {
	names := s.Names
	into.Certificate, into.Names = &names, s.AllNames
	into.Provisioner = s.Names.Provisioner
	into.KeyType, into.KeyBits = s.KeyType, s.KeyBits
}

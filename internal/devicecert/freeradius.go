package devicecert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/posture"
)

// Attributes are what FreeRADIUS 3.2 says of a login: the values of each attribute, by its name. What it says of the client's
// certificate begins with TLS-Client-Cert-.
// https://www.freeradius.org/documentation/freeradius-server/3.2.9/
type Attributes map[string][]string

// ofCertificate is what the names of the attributes of the client's certificate begin with. Those of TLS-Cert- are its issuer's.
const ofCertificate = "TLS-Client-Cert-"

// noExtension names the line whose absence keeps the provisioner from us.
const noExtension = "the RADIUS server does not say which provisioner the certificate is from: its dictionary needs the line ATTRIBUTE TLS-Client-Cert-" +
	oidProvisioner + " 3902 octets; without it, every client of the CA could choose the common name of a device"

const resumed = "; of a resumed session a RADIUS server does not know the certificate: switch its EAP session cache off"

// HasCertificate reports whether there is a certificate at all.
func (a Attributes) HasCertificate() bool {
	for name := range a {
		if strings.HasPrefix(name, ofCertificate) {
			return true
		}
	}
	return false
}

// One returns the value of an attribute that may come once.
func (a Attributes) One(name string) (value string, ok bool) {
	values := a[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// Fingerprint is the SHA-256 of all that is said of the certificate and its issuer. Each text and each list is preceded by its
// length, so that no two sets of attributes look the same.
func (a Attributes) Fingerprint() [sha256.Size]byte {
	names := make([]string, 0, len(a))
	for name := range a {
		if strings.HasPrefix(name, ofCertificate) || strings.HasPrefix(name, "TLS-Cert-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	const usual = 2 << 10
	all := make([]byte, 0, usual)
	text := func(text string) { all = append(binary.AppendUvarint(all, uint64(len(text))), text...) }
	for _, name := range names {
		text(name)
		all = binary.AppendUvarint(all, uint64(len(a[name])))
		for _, value := range a[name] {
			text(value)
		}
	}
	return sha256.Sum256(all)
}

// CheckAttributes verifies what a RADIUS server says of a certificate at the time now. That server has verified the chain and that
// the client has the key; here its word is compared with the issuers, as far as it goes.
func (t *Trust) CheckAttributes(a Attributes, now time.Time) (*Shown, *Problem) {
	if !a.HasCertificate() {
		return nil, problemf(posture.CertificateMissing, "the RADIUS server says nothing of a certificate%s", resumed)
	}
	// Another method proves another thing, if a client has a certificate there at all.
	if method, _ := a.One("EAP-Type"); method != "TLS" && method != "13" {
		return nil, untrusted("EAP-Type is %.64q, and only EAP-TLS proves that the device has the key of the certificate", a["EAP-Type"])
	}
	s := &Shown{commonNames: a[ofCertificate+"Common-Name"]}
	serial, p := t.checkStated(a, now, s)
	if p != nil {
		return nil, p
	}
	if hexed, ok := a.One(ofCertificate + oidProvisioner); ok {
		der, isHex := strings.CutPrefix(hexed, "0x")
		extension, err := hex.DecodeString(der)
		if !isHex || err != nil {
			return nil, untrusted("the provisioner's extension of the certificate cannot be read")
		}
		if p := s.readProvisioner(extension); p != nil {
			return nil, p
		}
	} else if len(a[ofCertificate+oidProvisioner]) > 0 {
		return nil, untrusted("the RADIUS server has more than one provisioner's extension, or an empty one")
	}
	// Fail closed with any provisioner too: the common name is the client's choice with some.
	if p := t.checkProvisioner(s, true, noExtension); p != nil {
		return nil, p
	}
	if p := s.checkSubject(a); p != nil {
		return nil, p
	}
	s.name(a, serial)
	return s, nil
}

// checkStated checks issuer, validity, usage and revocation, and returns the serial number.
func (t *Trust) checkStated(a Attributes, now time.Time, s *Shown) (*big.Int, *Problem) {
	issuer, p := t.statedIssuer(a)
	if p != nil {
		return nil, p
	}
	if now.Before(issuer.NotBefore) || now.After(issuer.NotAfter) {
		return nil, untrusted("the issuer %.128q is not valid now", issuer.Subject)
	}
	var err error
	if s.Names.NotAfter, err = a.time("Expiration"); err != nil {
		return nil, untrusted("%w", err)
	}
	if s.Names.NotBefore, err = a.time("Valid-Since"); err != nil {
		return nil, untrusted("%w%s", err, resumed)
	}
	switch {
	case now.Before(s.Names.NotBefore):
		return nil, untrusted("the certificate is not valid before %s", utc(s.Names.NotBefore))
	case now.After(s.Names.NotAfter):
		return nil, untrusted("the certificate expired at %s", utc(s.Names.NotAfter))
	}
	const clientAuth = "1.3.6.1.5.5.7.3.2"
	if !slices.Contains(a[ofCertificate+"X509v3-Extended-Key-Usage-OID"], clientAuth) {
		return nil, untrusted("the extended key usage of the certificate lacks clientAuth%s", resumed)
	}
	if constraints := a[ofCertificate+"X509v3-Basic-Constraints"]; slices.ContainsFunc(constraints, func(text string) bool { return strings.Contains(text, "CA:TRUE") }) {
		return nil, untrusted("the certificate is one of a CA")
	}
	text, _ := a.One(ofCertificate + "Serial")
	bytes, err := hex.DecodeString(text)
	if err != nil || len(bytes) == 0 {
		return nil, untrusted("the serial number of the certificate is %.64q, which is not hexadecimal", a[ofCertificate+"Serial"])
	}
	serial := new(big.Int).SetBytes(bytes)
	return serial, t.checkRevoked(issuer.RawSubject, serial)
}

// statedIssuer returns the certificate in doors.issuers that has the name and the key of the stated issuer.
func (t *Trust) statedIssuer(a Attributes) (*x509.Certificate, *Problem) {
	name, okName := a.One(ofCertificate + "Issuer")
	keyID, okKey := a.One(ofCertificate + "X509v3-Authority-Key-Identifier")
	key, err := hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(keyID), "keyid:"), ":", ""))
	if !okName || !okKey || err != nil || len(key) == 0 {
		return nil, untrusted("the RADIUS server does not state, once each, the name and the key identifier of the issuer")
	}
	for i, issuer := range t.Issuers {
		if bytes.Equal(issuer.SubjectKeyId, key) {
			if line, ok := t.stated(i); ok && line == name {
				return issuer, nil
			}
		}
	}
	return nil, untrusted("the certificate is of the issuer %.128q with the key identifier %.64q, and doors.issuers has %s", name, keyID, t.named())
}

// time reads a time of ASN.1: UTCTime, or GeneralizedTime, in UTC (RFC 5280 section 4.1.2.5).
func (a Attributes) time(name string) (time.Time, error) {
	text, ok := a.One(ofCertificate + name)
	if !ok {
		return time.Time{}, fmt.Errorf("the RADIUS server does not state, once, %s%s", ofCertificate, name)
	}
	const utcTime, generalizedTime = "060102150405Z", "20060102150405Z"
	const splitYear = 2050 // UTCTime has the years 1950 to 2049
	if at, err := time.Parse(utcTime, text); err == nil {
		if at.Year() >= splitYear {
			at = at.AddDate(-100, 0, 0)
		}
		return at, nil
	}
	at, err := time.Parse(generalizedTime, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s%s is %.64q, which is no time of ASN.1", ofCertificate, name, text)
	}
	return at, nil
}

// commonNameOf finds the common names in a subject, wherever a reader could see one: OpenSSL escapes slashes, but not the
// backslashes before them.
var commonNameOf = regexp.MustCompile(`[/+]CN=`)

// checkSubject checks that the subject has one common name, and that it is the one that the RADIUS server has.
func (s *Shown) checkSubject(a Attributes) *Problem {
	switch len(s.commonNames) {
	case 0:
		return problemf(posture.IdentifierMissing, "the certificate has no common name, which identifies the device at a RADIUS server")
	case 1:
	default:
		return problemf(posture.CommonNameMismatch, "the RADIUS server states %d common names", len(s.commonNames))
	}
	name := s.commonNames[0]
	subject, ok := a.One(ofCertificate + "Subject")
	found := commonNameOf.FindAllStringIndex(subject, -1)
	if !ok || len(found) != 1 {
		return problemf(posture.CommonNameMismatch, "the subject of the certificate has %d common names: %.256q", len(found), subject)
	}
	rest, is := strings.CutPrefix(subject[found[0][1]:], escapeLine([]byte(name)))
	if !is || rest != "" && rest[0] != '/' && rest[0] != '+' {
		return problemf(posture.CommonNameMismatch, "the RADIUS server states the common name %.256q, and the subject %.256q", name, subject)
	}
	// Some versions of FreeRADIUS state the issuer's name in place of a missing one.
	if slices.Contains(a["TLS-Cert-Common-Name"], name) {
		return problemf(posture.CommonNameMismatch, "the common name %.256q is that of the issuer", name)
	}
	return nil
}

// name fills in what rules may know of the certificate's names.
func (s *Shown) name(a Attributes, serial *big.Int) {
	list := certname.List{Typed: &posture.CertificateNames{}}
	for _, name := range s.commonNames {
		list.Add(certname.CommonName, name, true)
	}
	for attribute, kind := range map[string]certname.Kind{"Subject-Alt-Name-Email": certname.Email, "Subject-Alt-Name-Dns": certname.DNS} {
		for _, name := range a[ofCertificate+attribute] {
			list.Add(kind, name, true)
		}
	}
	typed, before := *list.Finish(), s.Names
	// FreeRADIUS states neither addresses nor URIs of every version, so they are unknown, and so are all names together.
	typed.IPs, typed.URIs = nil, nil
	typed.NotBefore, typed.NotAfter, typed.Provisioner, typed.ProvisionerType = before.NotBefore, before.NotAfter, before.Provisioner, before.ProvisionerType
	typed.SerialNumber = hex.EncodeToString(serial.Bytes())
	s.Names = typed
}

// IdentifyStated is Identify for what a RADIUS server states: the common name alone.
func (s *Shown) IdentifyStated() (posture.Identifier, *Problem) {
	id, err := posture.ParseRequested(s.commonNames[0])
	if err != nil {
		return posture.Identifier{}, problemf(posture.IdentifierInvalid, "the common name of the certificate: %w", err)
	}
	return id, nil
}

// RADIUS is what is said of the connection.
func (a Attributes) RADIUS() *posture.RADIUSRequest {
	r := &posture.RADIUSRequest{}
	for _, name := range [...]string{"NAS-Identifier", "NAS-IP-Address", "NAS-IPv6-Address"} {
		// A doubled one is unknown, and is not replaced by the next: it could be another access point's.
		if len(a[name]) > 0 {
			r.NAS, _ = a.One(name)
			break
		}
	}
	called, _ := a.One("Called-Station-Id")
	_, r.SSID, _ = strings.Cut(called, ":")
	r.CallingStation, _ = a.One("Calling-Station-Id")
	return r
}

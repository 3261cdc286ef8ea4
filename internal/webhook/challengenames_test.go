package webhook_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/enroll"
)

// The CSR of a challenge names its device: in each serialNumber and permanentIdentifier, in one name at least, and without
// other_names in every one.
func TestChallengeNames(t *testing.T) {
	t.Parallel()
	cn := func(t *testing.T, name string) pkix.AttributeTypeAndValue {
		t.Helper()
		return attribute(t, "2.5.4.3", name)
	}
	sn := func(t *testing.T, name string) pkix.AttributeTypeAndValue {
		t.Helper()
		return attribute(t, "2.5.4.5", name)
	}
	both, never, other := "with and without other_names", "", "with other_names"
	for name, test := range map[string]struct {
		make    func(t *testing.T, o *order)
		allowed string
	}{
		"common name":   {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, serial)) }, both},
		"serialNumber":  {func(t *testing.T, o *order) { t.Helper(); o.subject = with(sn(t, serial)) }, both},
		"both":          {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, serial), sn(t, serial)) }, both},
		"both in a set": {func(t *testing.T, o *order) { t.Helper(); o.subject = pkix.RDNSequence{{cn(t, serial), sn(t, serial)}} }, both},
		"permanentIdentifier": {func(t *testing.T, o *order) {
			t.Helper()
			o.subject, o.names.ExtraExtensions = nil, []pkix.Extension{permanent(t, serial)}
		}, both},
		"other attributes": {func(t *testing.T, o *order) {
			t.Helper()
			o.subject = with(cn(t, serial), attribute(t, "2.5.4.11", "Lab"))
		}, both},
		"DNS name":                {func(_ *testing.T, o *order) { o.subject, o.names.DNSNames = nil, []string{serial} }, both},
		"no name":                 {func(t *testing.T, o *order) { t.Helper(); o.subject = with(attribute(t, "2.5.4.11", serial)) }, never},
		"other common name":       {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, "laptop-17")) }, never},
		"common name, other case": {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, strings.ToLower(serial))) }, never},
		"other serialNumber":      {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, serial), sn(t, otherSerial)) }, never},
		"second serialNumber":     {func(t *testing.T, o *order) { t.Helper(); o.subject = with(sn(t, serial), sn(t, otherSerial)) }, never},
		"serialNumber, other case": {func(t *testing.T, o *order) {
			t.Helper()
			o.subject = with(cn(t, serial), sn(t, strings.ToLower(serial)))
		}, never},
		"empty serialNumber": {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, serial), sn(t, "")) }, never},
		"serialNumber as BMP": {func(t *testing.T, o *order) {
			t.Helper()
			o.subject = with(cn(t, serial), attribute(t, "2.5.4.5", text(asn1.TagBMPString, otherSerial)))
		}, never},
		"serialNumber as INTEGER": {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, serial), attribute(t, "2.5.4.5", 7)) }, never},
		"other permanent": {func(t *testing.T, o *order) {
			t.Helper()
			o.names.ExtraExtensions = []pkix.Extension{permanent(t, otherSerial)}
		}, never},
		"second permanent": {func(t *testing.T, o *order) {
			t.Helper()
			o.names.ExtraExtensions = []pkix.Extension{permanent(t, serial, otherSerial)}
		}, never},
		"empty permanent": {func(t *testing.T, o *order) { t.Helper(); o.names.ExtraExtensions = []pkix.Extension{permanent(t, "")} }, never},
		"broken names": {func(t *testing.T, o *order) {
			t.Helper()
			o.names.ExtraExtensions = []pkix.Extension{{Id: oid(t, "2.5.29.17"), Value: []byte{0x30, 0x02, 0xa0, 0x00}}}
		}, never},
		"unreadable name beside": {func(t *testing.T, o *order) {
			t.Helper()
			directory := marshal(t, with(attribute(t, "2.5.4.3", 7)))
			names := marshal(t, []asn1.RawValue{{Class: 2, Tag: 4, IsCompound: true, Bytes: directory}})
			o.subject = append(with(sn(t, serial)), o.subject...)
			o.names.ExtraExtensions = []pkix.Extension{{Id: oid(t, "2.5.29.17"), Value: names}}
		}, never},
		"other common name beside": {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, "laptop-17"), sn(t, serial)) }, other},
		"two common names":         {func(t *testing.T, o *order) { t.Helper(); o.subject = with(cn(t, serial), cn(t, "laptop-17")) }, other},
		"other DNS name":           {func(_ *testing.T, o *order) { o.names.DNSNames = []string{"laptop-17.example.com"} }, other},
		"e-mail address":           {func(_ *testing.T, o *order) { o.names.EmailAddresses = []string{"ada@example.com"} }, other},
		"IP address":               {func(_ *testing.T, o *order) { o.names.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} }, other},
		"URI":                      {func(_ *testing.T, o *order) { o.names.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.com"}} }, other},
		"of the recorded request": {func(t *testing.T, o *order) {
			t.Helper()
			o.subject = with(attribute(t, "2.5.4.11", "Lab"), cn(t, "laptop-17"), sn(t, serial))
			o.names = x509.CertificateRequest{DNSNames: []string{"laptop-17.example.com"}, EmailAddresses: []string{"ada@example.com"}}
		}, other},
	} {
		for _, otherNames := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", other_names"}[otherNames], func(t *testing.T) {
				t.Parallel()
				e := newEnrolment(t)
				e.rule.OtherNames = otherNames
				challenge, token := e.issue(t, serial, "")
				o := bySCEP(t, challenge)
				test.make(t, &o)
				got := e.ask(t, challengeHook, o.challenging(t, challenge))
				if test.allowed == never || test.allowed == other && !otherNames {
					if got.code != "sanMismatch" && got.code != "malformed" { // of what cannot be read
						wantInvalid(t, name, got, "")
					}
					e.wantState(t, name, token, enroll.Live)
					return
				}
				wantAllow(t, name, got)
				wantAllow(t, "ENRICHING", e.ask(t, laterHook, o.later(t)))
				wantAllow(t, "AUTHORIZING", e.ask(t, laterHook, o.signing(t)))
				// A later CSR with the same key and challenge may name no other device either.
				o.subject = append(o.subject, with(sn(t, otherSerial))...)
				wantInvalid(t, "ENRICHING of another device", e.ask(t, laterHook, o.later(t)), "a serialNumber in the subject")
			})
		}
	}
}

// The challenge that the CSR of a later request has.
func TestChallengePasswordOfLaterRequests(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	challenge, token := e.withHyphens(t)
	unused, _ := e.issue(t, serial, "")
	o := bySCEP(t, challenge)
	wantAllow(t, "challenge", e.ask(t, challengeHook, o.challenging(t, challenge)))
	for name, challenges := range map[string][]asn1.RawValue{
		"missing":      nil,
		"twice":        {text(asn1.TagUTF8String, challenge), text(asn1.TagUTF8String, challenge)},
		"and another":  {text(asn1.TagUTF8String, challenge), text(asn1.TagUTF8String, "x")},
		"other":        {text(asn1.TagUTF8String, "per-device-challenge-1")},
		"other token":  {text(asn1.TagUTF8String, unused)},
		"empty":        {text(asn1.TagUTF8String, "")},
		"BMPString":    {text(asn1.TagBMPString, challenge)},
		"OCTET STRING": {text(asn1.TagOctetString, challenge)},
		"with a space": {text(asn1.TagUTF8String, challenge+" ")},
		"NULL":         {asn1.NullRawValue},
	} {
		o.challenges = challenges
		wantInvalid(t, name, e.ask(t, laterHook, o.later(t)), "challenge")
	}
	for _, tag := range []int{asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String} {
		o.challenges = []asn1.RawValue{text(tag, challenge)}
		wantAllow(t, "later", e.ask(t, laterHook, o.later(t)))
	}
	// A client of another provisioner has no challenge, and its key is bound to nothing.
	wantInvalid(t, "JWK", e.ask(t, laterHook, form(t, "jwk-x509-enriching", func(members) {})), "no challenge was redeemed")
	wantInvalid(t, "JWK", e.ask(t, laterHook, form(t, "jwk-x509-authorizing", func(members) {})), "no token was redeemed")
	wantInvalid(t, "renewal", e.ask(t, laterHook, form(t, "scep-renewal-enriching", func(members) {})), "no challenge was redeemed")
	wantInvalid(t, "static challenge", e.ask(t, laterHook, form(t, "scep-static-x509-enriching", func(members) {})), "no challenge was redeemed")
	// One key with the challenges of two devices: it is not known which of them asks for the certificate.
	second, _ := e.issue(t, otherSerial, "")
	o.subject, o.challenges = with(attribute(t, "2.5.4.3", otherSerial)), []asn1.RawValue{text(asn1.TagUTF8String, second)}
	wantAllow(t, "challenge of another device", e.ask(t, challengeHook, o.challenging(t, second)))
	got := e.ask(t, laterHook, o.later(t))
	wantAllow(t, "ENRICHING of another device", got)
	if got.event.Identifier != otherSerial || got.event.TokenID == token.ID {
		t.Errorf("got %q with %s, want the other device and its token", got.event.Identifier, got.event.TokenID)
	}
	wantInvalid(t, "AUTHORIZING", e.ask(t, laterHook, o.signing(t)), "tokens of different devices")
}

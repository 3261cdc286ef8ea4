package webhook_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"testing"
	"unicode/utf16"

	"step-posture-connector/internal/enroll"
)

// order is a CSR and the key of it. crypto/x509 makes the CSR; an attribute that it cannot make is added.
type order struct {
	key        crypto.Signer
	subject    pkix.RDNSequence
	names      x509.CertificateRequest // alternative names and extensions
	challenges []asn1.RawValue         // values of challengePassword, each in an attribute of its own
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func oid(t testing.TB, dotted string) asn1.ObjectIdentifier {
	t.Helper()
	parsed, err := x509.ParseOID(dotted)
	if err != nil {
		t.Fatal(err)
	}
	text, err := parsed.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var arcs asn1.ObjectIdentifier
	number := 0
	for _, c := range append(text, '.') {
		if c == '.' {
			arcs, number = append(arcs, number), 0
			continue
		}
		number = 10*number + int(c-'0')
	}
	return arcs
}

// attribute is one of a subject. The value is a Go string, or the DER of another type.
func attribute(t testing.TB, of string, value any) pkix.AttributeTypeAndValue {
	t.Helper()
	return pkix.AttributeTypeAndValue{Type: oid(t, of), Value: value}
}

// with is a subject that has each attribute in a set of its own.
func with(attributes ...pkix.AttributeTypeAndValue) (subject pkix.RDNSequence) {
	for _, a := range attributes {
		subject = append(subject, pkix.RelativeDistinguishedNameSET{a})
	}
	return subject
}

// text is a string of any type.
func text(tag int, value string) asn1.RawValue {
	contents := []byte(value)
	switch tag {
	case asn1.TagBMPString:
		contents = nil
		for _, unit := range utf16.Encode([]rune(value)) {
			contents = append(contents, byte(unit>>8), byte(unit))
		}
	case tagUniversalString:
		contents = nil
		for _, c := range value {
			contents = append(contents, byte(c>>24), byte(c>>16), byte(c>>8), byte(c))
		}
	}
	return asn1.RawValue{Tag: tag, Bytes: contents}
}

const tagUniversalString = 28

// enrolling is the order of a device with a token: its serial number, the token and the UDID.
func enrolling(t testing.TB, token string) order {
	t.Helper()
	return order{key: newKey(t), subject: with(attribute(t, "2.5.4.3", serial), attribute(t, tokenIn, text(asn1.TagUTF8String, token)), attribute(t, udidIn, text(asn1.TagUTF8String, udid)))}
}

// der is the CSR.
func (o order) der(t testing.TB) []byte {
	t.Helper()
	template := o.names
	var err error
	if template.RawSubject, err = asn1.Marshal(o.subject); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, o.key)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.challenges) == 0 {
		return der
	}
	var request struct {
		Info struct {
			Version      int
			Subject, Key asn1.RawValue
			Attributes   []asn1.RawValue `asn1:"tag:0,set"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &request); err != nil {
		t.Fatal(err)
	}
	for _, challenge := range o.challenges {
		attribute, err := asn1.Marshal(struct {
			Type   asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}, []asn1.RawValue{challenge}})
		if err != nil {
			t.Fatal(err)
		}
		request.Info.Attributes = append(request.Info.Attributes, asn1.RawValue{FullBytes: attribute})
	}
	if der, err = asn1.Marshal(request); err != nil { // the signature fits no more; step-ca has verified it
		t.Fatal(err)
	}
	return der
}

// members are those of a JSON object.
type members = map[string]any

// form is the body of a recorded request, which change makes that of another one.
func form(t testing.TB, name string, change func(body members)) []byte {
	t.Helper()
	var body members
	if err := json.Unmarshal(readSample(t, name).body, &body); err != nil {
		t.Fatal(err)
	}
	body["timestamp"] = "2026-11-22T02:02:20Z"
	change(body)
	made, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// request puts a CSR into a body, as step-ca describes it.
func (o order) request(t testing.TB, body members) {
	t.Helper()
	der := o.der(t)
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil { // a test wants one that cannot be read
		csr = &x509.CertificateRequest{}
	}
	var extensions []any
	for _, e := range csr.Extensions {
		extensions = append(extensions, members{"id": e.Id.String(), "critical": e.Critical, "value": e.Value})
	}
	r := body["x509CertificateRequest"].(members)
	r["raw"], r["rawSubject"], r["publicKey"], r["extensions"] = der, csr.RawSubject, o.publicKey(t), extensions
	r["dnsNames"], r["emailAddresses"], r["subject"] = csr.DNSNames, csr.EmailAddresses, members{"commonName": csr.Subject.CommonName}
}

func (o order) publicKey(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(o.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// enriching is the ENRICHING request of an order with attestation.
func (o order) enriching(t testing.TB, identifier string) []byte {
	t.Helper()
	return form(t, "acme-da-x509-enriching", func(body members) {
		body["attestationData"] = members{"permanentIdentifier": identifier}
		o.request(t, body)
	})
}

// authorizing is the AUTHORIZING request of it, with a certificate that a test may change.
func (o order) authorizing(t testing.TB, identifier string, changes ...func(certificate members)) []byte {
	t.Helper()
	return form(t, "acme-da-x509-authorizing", func(body members) {
		body["attestationData"] = members{"permanentIdentifier": identifier}
		o.certificate(t, body, identifier, changes...)
	})
}

func (o order) certificate(t testing.TB, body members, commonName string, changes ...func(certificate members)) {
	t.Helper()
	c := body["x509Certificate"].(members)
	c["publicKey"], c["subject"], c["sans"], c["extensions"] = o.publicKey(t), members{"commonName": commonName}, nil, nil
	for _, change := range changes {
		change(c)
	}
}

// keyHash is what a token is bound to.
func (o order) keyHash(t testing.TB) enroll.Key {
	t.Helper()
	key, err := enroll.KeyOf(o.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

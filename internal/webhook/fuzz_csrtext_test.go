package webhook

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/certname"
)

// tokenOID is the attribute of the fuzz tests.
const tokenOID = "2.5.4.35"

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c >= 0x80 })
}

// referenceTexts are the values of an attribute as crypto/x509 reads a subject. A value that is no string is "\x00".
func referenceTexts(subject []byte, oid string) (texts []string, ok bool) {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(subject, &name); err != nil || len(rest) > 0 {
		return nil, false
	}
	for _, set := range name {
		for _, a := range set {
			if a.Type.String() != oid {
				continue
			}
			text, isText := a.Value.(string)
			if !isText {
				text = certname.NotText
			}
			texts = append(texts, text)
		}
	}
	return texts, true
}

// FuzzSubjectTexts: what is read from a subject is what crypto/x509 reads. No value is passed over that another reader finds.
func FuzzSubjectTexts(f *testing.F) {
	set := func(attributes ...pkix.AttributeTypeAndValue) pkix.RelativeDistinguishedNameSET { return attributes }
	of := func(value any) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 35}, Value: value}
	}
	other := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "C02XK1ABJHD2"}
	token := strings.Repeat("q7A_-", 9)[:43]
	for _, name := range []pkix.RDNSequence{
		nil,
		{set(other)},
		{set(other), set(of(token))},
		{set(other, of(token))},
		{set(of(token)), set(of(token))},
		{set(of(asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte("\x00A\x00B")}))},
		{set(of(asn1.RawValue{Tag: asn1.TagT61String, Bytes: []byte("\xe4\xc3\xa4")}))},
		{set(of(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte("ä")})), set(of(7))},
	} {
		der, err := asn1.Marshal(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
		f.Add(append(der, 0))
	}
	f.Add([]byte("\x30\x0d\x31\x0b\x30\x09\x06\x04\x55\x04\x80\x23\x0c\x01A")) // an OID that is longer than needed
	f.Fuzz(func(t *testing.T, subject []byte) {
		texts, ok := subjectTexts(subject, tokenOID)
		want, known := referenceTexts(subject, tokenOID)
		switch {
		case !known:
		case len(texts) < len(want) && ok:
			t.Fatalf("got %q of %q in %x", texts, want, subject)
		case ok && len(texts) != len(want):
			t.Fatalf("got %q, want %q in %x", texts, want, subject)
		case ok:
			for i, text := range texts {
				if isASCII(text) && text != want[i] || !isASCII(text) && isASCII(want[i]) {
					t.Fatalf("got %q, want %q in %x", text, want[i], subject)
				}
			}
		}
	})
}

// referencePassword reads the challengePassword as step-ca does: the last one, of any type of string.
func referencePassword(csr []byte) (password string, count int, ok bool) {
	var request struct {
		Info struct {
			Version      int
			Subject, Key asn1.RawValue
			Attributes   []asn1.RawValue `asn1:"tag:0"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if rest, err := asn1.Unmarshal(csr, &request); err != nil || len(rest) > 0 {
		return "", 0, false
	}
	for _, raw := range request.Info.Attributes {
		var attribute struct {
			Type   asn1.ObjectIdentifier
			Values asn1.RawValue `asn1:"set"`
		}
		if _, err := asn1.Unmarshal(raw.FullBytes, &attribute); err != nil {
			return "", 0, false
		}
		if !attribute.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}) {
			continue
		}
		if _, err := asn1.Unmarshal(attribute.Values.Bytes, &password); err != nil {
			return "", 0, false
		}
		count++
	}
	return password, count, true
}

// FuzzChallengePassword: the challenge that is compared is the one that step-ca reads, and the only one.
func FuzzChallengePassword(f *testing.F) {
	info := elements(elements(recordedCall(f).csr())[0].content)[0].content
	parts := elements(info)
	key := der(parts[2].tag, string(parts[2].content))
	challenge := func(values ...string) string {
		return der(tagSequence, der(6, derChallengePassword), der(tagSet, values...))
	}
	extensions := der(tagSequence, der(6, derExtensionRequest), der(tagSet, der(tagSequence)))
	for _, attributes := range []string{
		"", challenge(der(tagUTF8, "secret")), challenge(der(tagPrintable, "secret")), challenge(der(tagBMP, "\x00s")),
		challenge(der(tagUTF8, "one"), der(tagUTF8, "two")), challenge(der(tagUTF8, "one")) + challenge(der(tagUTF8, "two")),
		extensions + challenge(der(tagT61, "secret")), challenge(), challenge(der(4, "secret")), challenge(der(tagUTF8, "")),
		challenge(der(tagUTF8, "secret")) + extensions, "\x30\x00", challenge(der(tagUTF8, "secret") + "\x00"),
	} {
		f.Add([]byte(der(tagSequence, der(tagSequence, der(2, "\x00"), der(tagSequence), key, der(0xa0, attributes)),
			der(tagSequence, der(6, "\x2a\x86\x48\xce\x3d\x04\x03\x02")), der(3, "\x00\x00"))))
	}
	f.Fuzz(func(t *testing.T, csr []byte) {
		if _, err := x509.ParseCertificateRequest(csr); err != nil {
			return // it is refused before
		}
		text, ok := challengePassword(csr)
		want, count, known := referencePassword(csr)
		if !known || !ok {
			return
		}
		if count != 1 || isASCII(text) && text != want || !isASCII(text) && isASCII(want) {
			t.Fatalf("got %q, want the only one of %d: %q in %x", text, count, want, csr)
		}
	})
}

// The seeds are CSRs, so that they say something.
func TestChallengePasswordIsRead(t *testing.T) {
	t.Parallel()
	info := elements(elements(recordedCall(t).csr())[0].content)[0].content
	parts := elements(info)
	key := der(parts[2].tag, string(parts[2].content))
	for _, tag := range []byte{tagUTF8, tagPrintable, tagT61, tagIA5} {
		attribute := der(tagSequence, der(6, derChallengePassword), der(tagSet, der(tag, "secret")))
		csr := []byte(der(tagSequence, der(tagSequence, der(2, "\x00"), der(tagSequence), key, der(0xa0, attribute)),
			der(tagSequence, der(6, "\x2a\x86\x48\xce\x3d\x04\x03\x02")), der(3, "\x00\x00")))
		if _, err := x509.ParseCertificateRequest(csr); err != nil {
			t.Fatal(err)
		}
		got, ok := challengePassword(csr)
		want, count, known := referencePassword(csr)
		if got != "secret" || !ok || want != got || count != 1 || !known {
			t.Errorf("got %q, %v, want secret, as another reader has %q, %d, %v", got, ok, want, count, known)
		}
	}
	if _, ok := challengePassword(recordedCall(t).csr()); ok {
		t.Error("a CSR without a challenge has one")
	}
	if texts, ok := subjectTexts([]byte("\x30\x0d\x31\x0b\x30\x09\x06\x04\x55\x04\x80\x23\x0c\x01A"), tokenOID); ok || !slices.Equal(texts, nil) {
		t.Errorf("got %q, %v of a subject with an OID that is longer than needed", texts, ok)
	}
}

// csr is that of the recorded body.
func (c call) csr() []byte {
	body, p := decode(Signed{raw: c.body}, c.now, 1, false)
	if p != nil {
		panic(p)
	}
	return body.X509CertificateRequest.Raw
}

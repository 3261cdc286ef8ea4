package webhook_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"step-posture-connector/internal/enroll"
)

// withHyphens is a token that every string type can carry: PrintableString has no underscore.
func (e *enrolment) withHyphens(t testing.TB) (shown string, token enroll.Token) {
	t.Helper()
	for {
		shown, token = e.issue(t, serial, "")
		plain := true
		for _, c := range shown {
			plain = plain && c != '_'
		}
		if plain {
			return shown, token
		}
		e.revoke(t, token)
	}
}

// The token is read from the DER, exactly once, as one of four types.
func TestTokenIsRead(t *testing.T) {
	t.Parallel()
	type attributes = []pkix.AttributeTypeAndValue
	for name, test := range map[string]struct {
		sets   func(token string) []attributes
		reason string // of a refusal
	}{
		"UTF8String": {func(k string) []attributes { return []attributes{{attribute(t, tokenIn, text(asn1.TagUTF8String, k))}} }, ""},
		"PrintableString": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, text(asn1.TagPrintableString, k))}}
		}, ""},
		"T61String": {func(k string) []attributes { return []attributes{{attribute(t, tokenIn, text(asn1.TagT61String, k))}} }, ""},
		"IA5String": {func(k string) []attributes { return []attributes{{attribute(t, tokenIn, text(asn1.TagIA5String, k))}} }, ""},
		"before other attributes": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, k)}, {attribute(t, "2.5.4.11", "Lab")}, {attribute(t, "1.2.3.4.5", "x")}}
		}, ""},
		"beside the UDID in a set": {func(k string) []attributes {
			return []attributes{{attribute(t, udidIn, udid), attribute(t, tokenIn, k)}}
		}, ""},
		"beside an OID that begins like it": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn+".1", "x")}, {attribute(t, "2.5.4.3500", "x")}, {attribute(t, tokenIn, k)}}
		}, ""},
		"BMPString": {func(k string) []attributes { return []attributes{{attribute(t, tokenIn, text(asn1.TagBMPString, k))}} }, "want one UTF8String"},
		"NumericString": {func(string) []attributes {
			return []attributes{{attribute(t, tokenIn, text(asn1.TagNumericString, "1"))}}
		}, "want one UTF8String"},
		"OCTET STRING": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, text(asn1.TagOctetString, k))}}
		}, "want one UTF8String"},
		"INTEGER":              {func(string) []attributes { return []attributes{{attribute(t, tokenIn, 7)}} }, "want one UTF8String"},
		"absent":               {func(string) []attributes { return nil }, "has 0 tokens in 2.5.4.35"},
		"in another attribute": {func(k string) []attributes { return []attributes{{attribute(t, "2.5.4.36", k)}} }, "has 0 tokens in 2.5.4.35"},
		"empty":                {func(string) []attributes { return []attributes{{attribute(t, tokenIn, "")}} }, "no such token"},
		"twice": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, k)}, {attribute(t, tokenIn, k)}}
		}, "has 2 tokens"},
		"twice in a set": {func(k string) []attributes { return []attributes{{attribute(t, tokenIn, k), attribute(t, tokenIn, k)}} }, "has 2 tokens"},
		"and an empty one": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, k)}, {attribute(t, tokenIn, "")}}
		}, "has 2 tokens"},
		"and a BMPString": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, k)}, {attribute(t, tokenIn, text(asn1.TagBMPString, k))}}
		}, "has 2 tokens"},
		"with a NUL": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, text(asn1.TagUTF8String, k+"\x00"))}}
		}, "no such token"},
		"other T61 letters": {func(k string) []attributes {
			return []attributes{{attribute(t, tokenIn, text(asn1.TagT61String, "\xe4"+k))}}
		}, "want one UTF8String"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			shown, token := e.withHyphens(t)
			o := order{key: newKey(t), subject: with(attribute(t, "2.5.4.3", serial))}
			for _, set := range test.sets(shown) {
				o.subject = append(o.subject, set)
			}
			got := e.ask(t, attestedHook, o.enriching(t, serial))
			if test.reason != "" {
				wantInvalid(t, name, got, test.reason)
				e.wantState(t, name, token, enroll.Live)
				return
			}
			wantAllow(t, name, got)
			e.wantState(t, name, token, enroll.Used)
		})
	}
}

// What crypto/x509 cannot read is no CSR, and no token is asked for.
func TestTokenInBrokenCSR(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]func(token string) asn1.RawValue{
		"UniversalString":                 func(k string) asn1.RawValue { return text(tagUniversalString, k) },
		"UTF-8 that is none":              func(k string) asn1.RawValue { return text(asn1.TagUTF8String, k+"\xff") },
		"underscore in a PrintableString": func(k string) asn1.RawValue { return text(asn1.TagPrintableString, "_"+k) },
		"IA5String beyond ASCII":          func(k string) asn1.RawValue { return text(asn1.TagIA5String, k+"\xe4") },
		"constructed string": func(k string) asn1.RawValue {
			return asn1.RawValue{Tag: asn1.TagUTF8String, IsCompound: true, Bytes: []byte("\x0c\x2b" + k)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			shown, token := e.issue(t, serial, "")
			o := order{key: newKey(t), subject: with(attribute(t, "2.5.4.3", serial), attribute(t, tokenIn, value(shown)))}
			if got := e.ask(t, attestedHook, o.enriching(t, serial)); got.code != "tokenInvalid" && got.code != "malformed" {
				t.Errorf("got %s (%s), want a refusal", got.body, got.event.Reason)
			}
			e.wantState(t, name, token, enroll.Live)
		})
	}
}

// The key of a CSR and that of the certificate are compared by what they are: every type, and every encoding of it.
func TestTokenOfEveryKey(t *testing.T) {
	t.Parallel()
	for name, generate := range map[string]func() (crypto.Signer, error){
		"RSA":     func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"P-256":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"P-384":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"P-521":   func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) },
		"Ed25519": func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnrolment(t)
			shown, token := e.issue(t, serial, udid)
			o := enrolling(t, shown)
			var err error
			if o.key, err = generate(); err != nil {
				t.Fatal(err)
			}
			wantAllow(t, "CSR", e.ask(t, attestedHook, o.enriching(t, serial)))
			if found, err := e.db.Find(t.Context(), token.Hash); err != nil || found.Key != o.keyHash(t) || found.BoundTo != serial {
				t.Errorf("got %+v, %v, want the token bound to the key and the device", found, err)
			}
			wantAllow(t, "certificate", e.ask(t, attestedHook, o.authorizing(t, serial)))
			for what, key := range map[string]any{
				"missing": nil, "empty": "", "no base64": "?", "a number": 7, "no key": []byte("key"), "cut": o.publicKey(t)[:40], "with more": append(o.publicKey(t), 0),
				"another's": enrolling(t, shown).publicKey(t),
			} {
				wantInvalid(t, what, e.ask(t, attestedHook, o.authorizing(t, serial, func(c members) { c["publicKey"] = key })), "")
			}
		})
	}
}

// A key that is encoded in another way is the same key: compressed points and explicit parameters are no way that Go reads.
func TestTokenOfACompressedKey(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, _ := e.issue(t, serial, udid)
	o := enrolling(t, shown)
	wantAllow(t, "CSR", e.ask(t, attestedHook, o.enriching(t, serial)))
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(o.publicKey(t), &spki); err != nil {
		t.Fatal(err)
	}
	point := spki.Key.Bytes
	compressed := append([]byte{2 + point[len(point)-1]&1}, point[1:33]...)
	spki.Key = asn1.BitString{Bytes: compressed, BitLength: 8 * len(compressed)}
	der, err := asn1.Marshal(spki)
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, "compressed", e.ask(t, attestedHook, o.authorizing(t, serial, func(c members) { c["publicKey"] = der })), "no key that a token can be bound to")
}

package webhook

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/posture"
)

// described is what rules know of a request with this body.
func described(t testing.TB, body []byte) posture.Request {
	t.Helper()
	var when struct {
		Timestamp time.Time `json:"timestamp"`
	}
	if err := json.Unmarshal(body, &when); err != nil {
		t.Fatal(err)
	}
	decoded, p := decode(Signed{raw: body}, when.Timestamp, time.Second, false)
	if p != nil {
		t.Fatal(p)
	}
	var request posture.Request
	decoded.describe(&request, false)
	return request
}

// describedObject is the same of a body that has one member beside the timestamp.
func describedObject(t testing.TB, name string, object any) posture.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{"timestamp": "2026-11-22T02:02:21Z", name: object})
	if err != nil {
		t.Fatal(err)
	}
	return described(t, body)
}

func describedCSR(t testing.TB, raw []byte) posture.Request {
	t.Helper()
	return describedObject(t, "x509CertificateRequest", map[string]any{"raw": raw})
}

func TestDescribeRecordedRequests(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]posture.Request{
		"acme-da-x509-enriching":           {Kind: "enriching", KeyType: "EC", KeyBits: 256, Names: []string{"C02HARNESS01"}},
		"acme-da-x509-authorizing":         {Kind: "authorizing", KeyType: "EC", KeyBits: 256, Names: []string{"C02HARNESS01", "lab@example.com"}},
		"acme-apple-extras-x509-enriching": {Kind: "enriching", KeyType: "EC", KeyBits: 256, Names: []string{"C02HARNESS01", "spoofed.example.net", "ceo@example.com"}},
		// What the CSR asked for beside the identifier is not in the certificate.
		"acme-apple-extras-x509-authorizing": {Kind: "authorizing", KeyType: "EC", KeyBits: 256, Names: []string{"C02HARNESS01"}},
		"scep-x509-enriching":                {Kind: "enriching", KeyType: "RSA", KeyBits: 2048, Names: []string{"laptop-17", "laptop-17.example.com", "ada@example.com"}},
		"scep-x509-authorizing":              {Kind: "authorizing", KeyType: "RSA", KeyBits: 2048, Names: []string{"laptop-17", "laptop-17.example.com", "ada@example.com"}},
		"jwk-sshuser-enriching":              {Kind: "enriching"},
	} {
		if got := described(t, recordedBody(t, name)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is described as %+v, want %+v", name, got, want)
		}
	}
}

func TestDescribeProvisioner(t *testing.T) {
	t.Parallel()
	got := described(t, []byte(`{"timestamp":"2026-11-22T02:02:21Z","provisionerName":"devices","x509Certificate":{}}`))
	if got.Provisioner != "devices" {
		t.Errorf("the provisioner is %q", got.Provisioner)
	}
}

// The key of a CSR is read from its DER, that of a certificate from its JSON member.
func TestDescribeKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		key  func() (any, any, error)
		kind string
		bits int64
	}{
		"P-224":   {onCurve(elliptic.P224()), "EC", 224},
		"P-256":   {onCurve(elliptic.P256()), "EC", 256},
		"P-384":   {onCurve(elliptic.P384()), "EC", 384},
		"P-521":   {onCurve(elliptic.P521()), "EC", 521},
		"RSA":     {ofModulus(2048), "RSA", 2048},
		"odd RSA": {ofModulus(2047), "RSA", 2047},
		"Ed25519": {func() (any, any, error) {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			return public, private, err
		}, "OKP", 256},
		// It cannot sign, so no CSR has it.
		"X25519": {func() (any, any, error) {
			private, err := ecdh.X25519().GenerateKey(rand.Reader)
			return private.Public(), nil, err
		}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			public, private, err := test.key()
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			got := describedObject(t, "x509Certificate", map[string]any{"publicKey": der})
			if got.KeyType != test.kind || got.KeyBits != test.bits {
				t.Errorf("the certificate's key is %s of %d bits, want %s of %d", got.KeyType, got.KeyBits, test.kind, test.bits)
			}
			if private == nil {
				return
			}
			raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
			if err != nil {
				t.Fatal(err)
			}
			if got = describedCSR(t, raw); got.KeyType != test.kind || got.KeyBits != test.bits {
				t.Errorf("the CSR's key is %s of %d bits, want %s of %d", got.KeyType, got.KeyBits, test.kind, test.bits)
			}
		})
	}
}

func onCurve(curve elliptic.Curve) func() (any, any, error) {
	return func() (any, any, error) {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		return key.Public(), key, err
	}
}

func ofModulus(bits int) func() (any, any, error) {
	return func() (any, any, error) {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		return key.Public(), key, err
	}
}

// A key that cannot be read is unknown, and refuses no request by itself.
func TestDescribeKeyThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, key := range []any{nil, "", "?", "aGVsbG8=", 5, []any{}, map[string]any{"a": 1}} {
		got := describedObject(t, "x509Certificate", map[string]any{"publicKey": key, "subject": map[string]any{"commonName": "A"}})
		if got.KeyType != "" || got.KeyBits != 0 || !slices.Equal(got.Names, []string{"A"}) {
			t.Errorf("with the key %v the request is %+v, want the name only", key, got)
		}
	}
}

// All names that step-ca's own library signs are among those that rules see, in every request that names the right device.
func TestDescribeNamesThatStepCASigns(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "authorizing.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table []struct {
		Name, Code string
		Sent       json.RawMessage
		Signed     struct{ CommonNames, PermanentIdentifiers []string }
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	for _, row := range table {
		if row.Code != "" {
			continue
		}
		got := describedObject(t, "x509Certificate", row.Sent).Names
		for _, name := range slices.Concat(row.Signed.CommonNames, row.Signed.PermanentIdentifiers) {
			if !slices.Contains(got, name) {
				t.Errorf("%s: the names are %q, but step-ca signs %q", row.Name, got, name)
			}
		}
	}
}

// A request without names has an empty list of them, which is known.
func TestDescribeNoNames(t *testing.T) {
	t.Parallel()
	for _, got := range []posture.Request{
		describedObject(t, "x509Certificate", map[string]any{}),
		describedCSR(t, made(t)["no subject"].der),
	} {
		if got.Names == nil || len(got.Names) > 0 {
			t.Errorf("the names are %#v, want an empty list", got.Names)
		}
	}
}

// More names than a rule's cost is estimated with are unknown; a name that stands twice counts once.
func TestDescribeManyNames(t *testing.T) {
	t.Parallel()
	for count, known := range map[int]bool{certname.MaxNames: true, certname.MaxNames + 1: false} {
		names := strings.Repeat(der(0x82, "n0"), 50)
		for i := range count {
			names += der(0x82, fmt.Sprintf("n%d", i))
		}
		extension := map[string]any{"id": "2.5.29.17", "value": []byte("\x30\x82" + string([]byte{byte(len(names) >> 8), byte(len(names))}) + names)}
		got := describedObject(t, "x509Certificate", map[string]any{"extensions": []any{extension}}).Names
		if known != (got != nil) || known && len(got) != count {
			t.Errorf("of %d names %d are known", count, len(got))
		}
	}
}

// BenchmarkDescribe is what rules cost a request before they are evaluated.
func BenchmarkDescribe(b *testing.B) {
	for _, name := range []string{"acme-da-x509-enriching", "acme-da-x509-authorizing"} {
		b.Run(name, func(b *testing.B) {
			raw := recordedBody(b, name)
			c := recordedCall(b)
			body, p := decode(Signed{raw: bytes.Clone(raw)}, c.now, time.Minute, false)
			if p != nil {
				b.Fatal(p)
			}
			b.ReportAllocs()
			for b.Loop() {
				var request posture.Request
				if body.describe(&request, false); request.Names == nil {
					b.Fatal("the names are unknown")
				}
			}
		})
	}
}

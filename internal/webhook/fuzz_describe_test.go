package webhook

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/posture"
)

// FuzzDescribe: either every name that crypto/x509 finds in a CSR is known, or none is; the same holds for its key, and for the
// JSON of a certificate.
func FuzzDescribe(f *testing.F) {
	for _, csr := range made(f) {
		f.Add(csr.der, []byte(`{}`))
	}
	for _, name := range []string{"acme-apple-extras-x509", "scep-x509"} {
		var sent struct {
			CSR struct {
				Raw []byte `json:"raw"`
			} `json:"x509CertificateRequest"`
			Certificate json.RawMessage `json:"x509Certificate"`
		}
		for _, kind := range []string{"-enriching", "-authorizing"} {
			if err := json.Unmarshal(recordedBody(f, name+kind), &sent); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(sent.CSR.Raw, []byte(sent.Certificate))
	}
	recorded := recordedCSR(f)
	for _, test := range generalNames() {
		f.Add([]byte(newCSR(recorded, der(tagSequence), der(tagSequence, test.der))), []byte(`{"sans":[{"type":"auto","value":"ftp://x"}],"dnsNames":["a"]}`))
	}
	for _, test := range sanForms() {
		f.Add(recorded, []byte(test.members))
	}
	f.Fuzz(func(t *testing.T, raw, object []byte) {
		var request posture.Request
		(&requestBody{X509CertificateRequest: &certificateRequest{Raw: raw}}).describe(&request, true)
		csr, err := x509.ParseCertificateRequest(raw)
		if err != nil {
			if request.Names != nil || request.KeyType != "" || request.KeyBits != 0 {
				t.Fatalf("of what is no CSR %+v is known", request)
			}
			return
		}
		checkNames(t, request.Names, csr)
		if keyType, bits := certname.DescribeKey(csr.PublicKey); request.KeyType != keyType || request.KeyBits != bits {
			t.Fatalf("the key is %s of %d bits, for crypto/x509 %s of %d", request.KeyType, request.KeyBits, keyType, bits)
		}
		content := fmt.Appendf(nil, `{"timestamp":"2026-11-22T02:02:21Z","x509Certificate":%s}`, object)
		body, p := decode(Signed{raw: content}, time.Date(2026, 11, 22, 2, 2, 21, 0, time.UTC), time.Second, false)
		if p != nil || body.X509Certificate == nil {
			return
		}
		request = posture.Request{}
		body.describe(&request, false)
		if request.Names == nil {
			return
		}
		commonNames, permanentIdentifiers := namesThatStepCASigns(body.X509Certificate)
		for _, name := range slices.Concat(commonNames, permanentIdentifiers) {
			// The reader of the tests takes BMP strings as they are; encoding/asn1 removes a NUL at the end.
			if !slices.Contains(request.Names, name) && !strings.ContainsAny(name, "\x00\ufffd") {
				t.Fatalf("the names of %s are %q, without %q", object, request.Names, name)
			}
		}
	})
}

// checkNames compares with what crypto/x509 finds.
func checkNames(t *testing.T, names []string, csr *x509.CertificateRequest) {
	t.Helper()
	if names == nil {
		return
	}
	want := slices.Concat(csr.DNSNames, csr.EmailAddresses)
	for _, ip := range csr.IPAddresses {
		want = append(want, ip.String())
	}
	if csr.Subject.CommonName != "" {
		want = append(want, csr.Subject.CommonName)
	}
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Fatalf("the names are %q, without %q, which crypto/x509 finds", names, name)
		}
	}
	for _, uri := range csr.URIs {
		if !slices.ContainsFunc(names, func(name string) bool { return sameURI(name, uri.String()) }) {
			t.Fatalf("the names are %q, without %q, which crypto/x509 finds", names, uri)
		}
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			t.Fatalf("the names are %q, with an empty one or one twice", names)
		}
	}
}

// sameURI reports whether text is the URI that crypto/x509 shows as want.
func sameURI(text, want string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.String() == want
}

package webhook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"step-posture-connector/internal/posture"
)

// checkIdentified compares an accepted request with the names that another reader finds in it.
func checkIdentified(t *testing.T, want string, id posture.Identifier, commonNames, permanentIdentifiers []string) {
	t.Helper()
	if id.String() != want {
		t.Fatalf("the identifier is %q, want the attested one, %q", id, want)
	}
	if len(commonNames) > 1 {
		t.Errorf("%q was accepted with the common names %q", want, commonNames)
	}
	for _, name := range commonNames {
		if name != want {
			t.Errorf("%q was accepted with the common name %q", want, name)
		}
	}
	for _, name := range permanentIdentifiers {
		if name != want {
			t.Errorf("%q was accepted with the permanent identifier %q", want, name)
		}
	}
}

// recordedCSR is the DER of a real CSR, recorded from step-ca.
func recordedCSR(f *testing.F) []byte {
	f.Helper()
	var request struct {
		CSR struct {
			Raw []byte `json:"raw"`
		} `json:"x509CertificateRequest"`
	}
	body, err := os.ReadFile(filepath.Join("testdata", "samples", "acme-da-x509-enriching.json"))
	if err != nil {
		f.Fatal(err)
	}
	if err := json.Unmarshal(body, &request); err != nil {
		f.Fatal(err)
	}
	return request.CSR.Raw
}

// FuzzIdentifyCSR: in every DER that is accepted, another reader finds no name except the attested one.
func FuzzIdentifyCSR(f *testing.F) {
	const id = "C02HARNESS01"
	recorded := recordedCSR(f)
	f.Add(id, recorded)
	f.Add("c02harness01", recorded)
	f.Add(id, []byte{})
	for _, c := range claims(id) {
		f.Add(id, []byte(c.csr(recorded)))
	}
	otherNames := func(names ...string) string {
		return newCSR(recorded, der(tagSequence), der(tagSequence, names...))
	}
	permanent := func(oid string, content ...string) string {
		return der(0xa0, der(6, oid), der(0xa0, content...))
	}
	uuid := permanent("\x69\x83\xb6\xf1\xc2\xd0\x9a\xbf\xc8\xd7\xe0\xa1\xb2\xc3\xd4\xe5\x0f", der(5))
	f.Add(id, []byte(otherNames(uuid)))
	for _, other := range []string{id, "C02OTHER"} {
		value := der(tagUTF8, other)
		f.Add(id, []byte(otherNames(uuid, permanent(derPermanentID, der(tagSequence, value)))))
		f.Add(id, []byte(otherNames(permanent(derPermanentID, der(tagSequence, der(tagUTF8, id), value)))))
		f.Add(id, []byte(otherNames(permanent(derPermanentID, value))))
		f.Add(id, []byte(otherNames(permanent(derPermanentID[:7]+"\x80\x03", der(tagSequence, value)))))
		f.Add(id, []byte(otherNames(permanent(derPermanentID, der(tagSequence, value, der(6, "\x2a\x03"))))))
		f.Add(id, []byte(otherNames(der(0x80, der(6, derPermanentID), der(0xa0, der(tagSequence, value))))))
	}
	// The attested identifier equals the placeholder for a value that is not a string.
	for _, placeholder := range []string{"(not a string)", "not a string", "<nil>"} {
		f.Add(placeholder, []byte(claim{one: "\x00\x01", tagOne: 3, with: 1}.csr(recorded)))
		f.Add(placeholder, []byte(claim{one: "\x01", tagOne: 2, with: 1}.csr(recorded)))
	}
	f.Fuzz(func(t *testing.T, identifier string, raw []byte) {
		body := &requestBody{AttestationData: &attestationData{identifier}, X509CertificateRequest: &certificateRequest{Raw: raw}}
		id, p := identify(body)
		if p != nil {
			checkRefused(t, id, p)
			return
		}
		commonNames, permanentIdentifiers := namesInCSR(raw)
		checkIdentified(t, identifier, id, commonNames, permanentIdentifiers)
	})
}

func checkRefused(t *testing.T, id posture.Identifier, p *Problem) {
	t.Helper()
	switch p.Code {
	case codeMalformed, codeAttestationMissing, posture.IdentifierInvalid, codeCommonNameMismatch, codeSANMismatch:
	default:
		t.Errorf("identify refuses with %s: %v", p.Code, p)
	}
	if id != (posture.Identifier{}) {
		t.Errorf("identify = %q with its problem %v, want no identifier", id, p)
	}
}

// FuzzIdentifyNames writes names in every form that step-ca sends, and knows the right answer: the identifier is accepted
// if and only if every present name equals it.
func FuzzIdentifyNames(f *testing.F) {
	recorded := recordedCSR(f)
	for _, id := range []string{"C02HARNESS01", "A", "<é>", " A", strings.Repeat("x", 256), ""} {
		for i, c := range claims(id) {
			f.Add(id, c.one, c.two, c.permanent, c.with, uint8(i%4))
		}
	}
	f.Fuzz(func(t *testing.T, identifier, one, two, permanent string, with, form uint8) {
		for _, s := range []string{identifier, one, two, permanent} {
			if !utf8.ValidString(s) || len(s) > 2000 {
				return // not possible in JSON, or not in the DER of this test
			}
		}
		if with&1 != 0 && one == "" || with&2 != 0 && two == "" {
			return // an empty common name may count as absent or as wrong; both are safe
		}
		c := claim{one, two, permanent, tagUTF8, tagUTF8, tagUTF8, with}
		object := map[string]any{}
		name := "x509Certificate"
		switch form % 4 {
		case 0:
			name, object["raw"] = "x509CertificateRequest", []byte(c.csr(recorded))
		case 1:
			object["rawSubject"], object["extensions"] = []byte(c.subject()), []any{map[string]any{"id": "2.5.29.17", "value": []byte(c.sans())}}
		case 2:
			c.inJSON(object, "commonName")
		case 3:
			c.inJSON(object, "extraNames")
		}
		content, err := json.Marshal(map[string]any{
			"timestamp":       "2026-11-22T02:02:21Z",
			"attestationData": map[string]any{"permanentIdentifier": identifier},
			name:              object,
		})
		if err != nil {
			t.Fatal(err)
		}
		body, p := decode(Signed{raw: content}, time.Date(2026, 11, 22, 2, 2, 21, 0, time.UTC), time.Second, false)
		if p != nil {
			t.Fatalf("decode of %s: %v", content, p)
		}
		id, p := identify(body)
		if p != nil {
			checkRefused(t, id, p)
		}
		if want := c.refusal(identifier); (p == nil) != (want == "") || p != nil && p.Code != want {
			t.Fatalf("identify of %s = %v, want code %q", content, p, want)
		}
	})
}

package webhook

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzDecode compares with encoding/json: it must accept what decode accepts, with the same values. (Not the other way
// round: it accepts duplicate members and invalid UTF-8.)
func FuzzDecode(f *testing.F) {
	const tolerance = 30 * time.Second
	now := time.Date(2026, 11, 22, 2, 2, 21, 0, time.UTC)
	for _, body := range bodies(f) {
		f.Add(body)
		f.Add(append(bytes.Clone(body), '\n'))
		f.Add(append(bytes.Clone(body), "{}"...))
		f.Add(append([]byte("\xef\xbb\xbf"), body...))
	}
	for _, rest := range []string{
		`"attestationData":{"permanentIdentifier":"A"},"x509Certificate":{}`,
		`"attestationData":{"permanentIdentifier":"A","permanentIdentifier":"B"},"x509Certificate":{}`,
		`"attestationData":{"permanentIdentifier":"A","PermanentIdentifier":"B"},"AttestationData":{},"x509Certificate":{}`,
		`"attestationData":{"permanentIdentifier":"\u0041\ud83d\ude00"},"x509Certificate":{},"x509CertificateRequest":null`,
		`"attestationData":{"permanentIdentifier":"\ud800"},"x509Certificate":{}`,
		`"attestationData":{"permanentIdentifier":5},"x509Certificate":{}`,
		`"attestationData":null,"sshCertificate":{}`,
		`"x509Certificate":{},"sshCertificateRequest":{}`,
		`"x509Certificate":{"subject":{"commonName":"A"},"subject":{"commonName":"B"}}`,
		`"timestamp":"2026-11-22T02:02:21Z","x509Certificate":{}`,
		`"x":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `,"x509Certificate":{}`,
		`"x":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `,"x509Certificate":{}`,
		"\"x\":\"\xff\",\"x509Certificate\":{}",
	} {
		f.Add([]byte(`{"timestamp":"2026-11-22T02:02:20.5+00:00",` + rest + `}`))
	}
	for _, timestamp := range []string{`"2026-11-22T02:02:51Z"`, `"2026-11-22T02:02:52Z"`, `"2026-11-22T04:01:51+02:00"`, `"2026-11-22T02:01:50Z"`, `null`, `5`, `""`, `"0000-01-01T00:00:00Z"`, `"9999-12-31T23:59:59Z"`} {
		f.Add([]byte(`{"timestamp":` + timestamp + `,"x509CertificateRequest":{}}`))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		body, p := decode(Signed{raw: content}, now, tolerance, false)
		if p != nil && p.Code != codeRequestExpired {
			if p.Code != codeMalformed || body != nil {
				t.Fatalf("decode = %+v, %v, want nothing and malformed", body, p)
			}
			return
		}
		if body == nil {
			t.Fatalf("decode = nil, %v", p)
		}
		checkDecoded(t, content, body)
		timestamp, err := time.Parse(time.RFC3339Nano, *body.Timestamp)
		if err != nil {
			t.Fatalf("the timestamp %q was accepted: %v", *body.Timestamp, err)
		}
		early, late := timestamp.Add(-tolerance), timestamp.Add(tolerance)
		if inTime := !now.Before(early) && !now.After(late); inTime != (p == nil) {
			t.Errorf("decode of timestamp %s at %s = %v, want in time: %v", *body.Timestamp, now, p, inTime)
		}
	})
}

// checkDecoded reads content with encoding/json, into maps, because there it distinguishes upper and lower case.
func checkDecoded(t *testing.T, content []byte, body *requestBody) {
	t.Helper()
	if !utf8.Valid(content) {
		t.Fatalf("invalid UTF-8 was accepted: %q", content)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil {
		t.Fatalf("encoding/json refuses the accepted body: %v", err)
	}
	checkTokens(t, content)
	objects := 0
	for _, name := range []string{"x509CertificateRequest", "x509Certificate", "sshCertificateRequest", "sshCertificate"} {
		if value, found := members[name]; found && string(value) != "null" {
			objects++
		}
	}
	if objects != 1 {
		t.Errorf("%d certificate objects were accepted", objects)
	}
	var attestation map[string]json.RawMessage
	if value, found := members["attestationData"]; found {
		if err := json.Unmarshal(value, &attestation); err != nil {
			t.Fatalf("encoding/json refuses the attestation data: %v", err)
		}
	}
	if found := attestation != nil; found != (body.AttestationData != nil) {
		t.Fatalf("attestation data: %v, encoding/json: %v", body.AttestationData, attestation)
	}
	var identifier, timestamp string
	if value, found := attestation["permanentIdentifier"]; found {
		if err := json.Unmarshal(value, &identifier); err != nil {
			t.Fatalf("encoding/json refuses the identifier: %v", err)
		}
	}
	if body.AttestationData != nil && body.AttestationData.PermanentIdentifier != identifier {
		t.Errorf("the identifier is %q, for encoding/json %q", body.AttestationData.PermanentIdentifier, identifier)
	}
	if err := json.Unmarshal(members["timestamp"], &timestamp); err != nil || timestamp != *body.Timestamp {
		t.Errorf("the timestamp is %q, for encoding/json %q (%v)", *body.Timestamp, timestamp, err)
	}
}

// checkTokens finds duplicate members, too deep nesting, and trailing data.
func checkTokens(t *testing.T, content []byte) {
	t.Helper()
	type level struct {
		object, wantsName bool
		names             map[string]bool
	}
	var open []level
	decoder := json.NewDecoder(bytes.NewReader(content))
	for first := true; first || len(open) > 0; first = false {
		token, err := decoder.Token()
		if err != nil {
			t.Fatalf("token: %v", err)
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 && open[len(open)-1].object {
			at := &open[len(open)-1]
			at.wantsName = !at.wantsName
			if name, isName := token.(string); isName && !at.wantsName {
				if at.names[name] {
					t.Errorf("a duplicate member %q was accepted", name)
				}
				at.names[name] = true
				continue
			}
		}
		if token == json.Delim('{') || token == json.Delim('[') {
			open = append(open, level{token == json.Delim('{'), true, map[string]bool{}})
		}
		if len(open) > 1001 {
			t.Fatalf("%d levels were accepted", len(open))
		}
	}
	if rest := bytes.TrimLeft(content[decoder.InputOffset():], " \t\r\n"); len(rest) > 0 {
		t.Errorf("data after the JSON was accepted: %q", rest)
	}
}

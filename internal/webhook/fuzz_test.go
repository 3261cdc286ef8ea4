package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"step-posture-connector/internal/posture"
)

// bodies are the recorded requests of a real step-ca.
func bodies(f *testing.F) [][]byte {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "samples", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	var found [][]byte
	for _, path := range paths {
		if strings.HasSuffix(path, ".meta.json") {
			continue
		}
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		found = append(found, body)
	}
	if len(found) == 0 {
		f.Fatal("there are no recorded requests")
	}
	return found
}

// FuzzAuthenticate: a request passes if and only if its ID is known and its signature is the one of
// its very body under the ID's own secret.
func FuzzAuthenticate(f *testing.F) {
	first, second := sha256.Sum256([]byte("first")), sha256.Sum256([]byte("second"))
	hooks := []Webhook{{"98a6ad8d-d8e5-4d1d-b465-770fb66a5207", first[:]}, {"9445A147-807D-4547-A404-E80F908D2009", second[:]}}
	authenticator := NewAuthenticator(hooks)
	for i, body := range bodies(f) {
		hook := hooks[i%2]
		f.Add(hook.ID, hex.EncodeToString(expected(hook.Secret, body)), body, uint(i))
		f.Add(strings.ToUpper(hook.ID), strings.ToUpper(hex.EncodeToString(expected(hook.Secret, body))), body, uint(8*i))
		f.Add(hook.ID, hex.EncodeToString(expected(nil, body)), body, uint(0))
		f.Add("00000000-0000-0000-0000-000000000000", hex.EncodeToString(expected(hook.Secret, body)), body, uint(1))
	}
	f.Add("", "", []byte{}, uint(0))
	f.Add(" "+hooks[0].ID, strings.Repeat("0", 64), []byte("x"), uint(7))
	f.Add(hooks[0].ID, strings.Repeat("zz", 32), []byte("x"), uint(7))
	f.Add(hooks[0].ID+","+hooks[1].ID, strings.Repeat("0", 63), []byte("{}"), uint(300))
	f.Fuzz(func(t *testing.T, id, signature string, body []byte, bit uint) {
		want := false
		for _, hook := range hooks {
			right := hex.EncodeToString(expected(hook.Secret, body))
			want = want || len(id) == len(hook.ID) && strings.EqualFold(id, hook.ID) && len(signature) == len(right) && strings.EqualFold(signature, right)
		}
		checkAuthentication(t, authenticator, header(id, signature), body, want)

		// Made right, it passes; with any bit changed, of the body or the signature, it does not.
		hook, other := hooks[bit%2], hooks[(bit+1)%2]
		right := expected(hook.Secret, body)
		checkAuthentication(t, authenticator, header(hook.ID, hex.EncodeToString(right)), body, true)
		checkAuthentication(t, authenticator, header(hook.ID, hex.EncodeToString(flipped(right, bit))), body, false)
		if len(body) > 0 {
			checkAuthentication(t, authenticator, header(hook.ID, hex.EncodeToString(right)), flipped(body, bit), false)
		}
		checkAuthentication(t, authenticator, header(hook.ID, hex.EncodeToString(right)), append(bytes.Clone(body), byte(bit)), false)
		checkAuthentication(t, authenticator, header(other.ID, hex.EncodeToString(right)), body, false)
		checkAuthentication(t, authenticator, header(hook.ID, hex.EncodeToString(expected(nil, body))), body, false)
		checkAuthentication(t, NewAuthenticator(nil), header(hook.ID, hex.EncodeToString(right)), body, false)
		twice := header(hook.ID, hex.EncodeToString(right))
		twice.Add(signatureHeader, signature)
		checkAuthentication(t, authenticator, twice, body, false)
		twice = header(hook.ID, hex.EncodeToString(right))
		twice.Add(idHeader, id)
		checkAuthentication(t, authenticator, twice, body, false)
	})
}

func checkAuthentication(t *testing.T, a *Authenticator, h http.Header, body []byte, want bool) {
	t.Helper()
	signed, p := a.Authenticate(h, body)
	switch {
	case p == nil != want:
		t.Fatalf("Authenticate with %q and a body of %d bytes = %v, want it to pass: %v", h, len(body), p, want)
	case p == nil && !bytes.Equal(signed.raw, body):
		t.Errorf("the body that passed is %q, want %q", signed.raw, body)
	case p != nil && (signed.raw != nil || p.Code != codeUnauthenticated || outcomeOf(p.Code).status != http.StatusUnauthorized):
		t.Errorf("Authenticate = %q, %v, want no body and 401 unauthenticated", signed.raw, p)
	}
}

// expected is the signature as step-ca makes it, written a second time.
func expected(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return mac.Sum(nil)
}

func header(id, signature string) http.Header {
	h := http.Header{}
	h.Set("X-Smallstep-Webhook-ID", id)
	h.Set("X-Smallstep-Signature", signature)
	return h
}

func flipped(b []byte, bit uint) []byte {
	changed := bytes.Clone(b)
	changed[bit/8%uint(len(b))] ^= 1 << (bit % 8)
	return changed
}

// FuzzDecode compares with encoding/json: what we accept it must accept too, and find the same
// in it. (Not the other way round: it lets duplicate members and invalid UTF-8 pass.)
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
		body, p := decode(SignedBody{content}, now, tolerance)
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

// checkDecoded reads content by means of encoding/json, into maps, whose members it does not mix up in case.
func checkDecoded(t *testing.T, content []byte, body *requestBody) {
	t.Helper()
	if !utf8.Valid(content) {
		t.Fatalf("invalid UTF-8 was accepted: %q", content)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil {
		t.Fatalf("encoding/json refuses what was accepted: %v", err)
	}
	checkTokens(t, content)
	objects := 0
	for _, name := range []string{"x509CertificateRequest", "x509Certificate", "sshCertificateRequest", "sshCertificate"} {
		if value, there := members[name]; there && string(value) != "null" {
			objects++
		}
	}
	if objects != 1 {
		t.Errorf("%d certificate objects were accepted", objects)
	}
	var attestation map[string]json.RawMessage
	if value, there := members["attestationData"]; there {
		if err := json.Unmarshal(value, &attestation); err != nil {
			t.Fatalf("encoding/json refuses the attestation data: %v", err)
		}
	}
	if there := attestation != nil; there != (body.AttestationData != nil) {
		t.Fatalf("attestation data: %v, encoding/json: %v", body.AttestationData, attestation)
	}
	var identifier, timestamp string
	if value, there := attestation["permanentIdentifier"]; there {
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

// checkTokens walks through JSON and finds duplicate members, too deep nesting, and trailing data.
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

// checkIdentified holds an identified request to what its names are by another reading.
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

// The DER of the object identifiers that matter, and the tags of the string types.
const (
	derCommonName       = "\x55\x04\x03"
	derSAN              = "\x55\x1d\x11"
	derPermanentID      = "\x2b\x06\x01\x05\x05\x07\x08\x03"
	derExtensionRequest = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"

	tagUTF8, tagPrintable, tagT61, tagIA5, tagBMP = 12, 19, 20, 22, 30
	tagOID, tagSequence, tagSet                   = 6, 0x30, 0x31
)

// element is one DER element. This reading of DER is our own, so that encoding/asn1 is not judged by itself.
type element struct {
	tag     byte // the whole first byte
	content []byte
}

// elements splits DER into the elements that follow one another; the rest that is none is left out.
func elements(der []byte) []element {
	found, _ := split(der)
	return found
}

// split also reports whether there was no rest.
func split(der []byte) (found []element, whole bool) {
	for len(der) >= 2 {
		head, size := 2, int(der[1])
		if der[0]&0x1f == 0x1f {
			return found, false // a tag of several bytes, which none of ours has
		}
		if size >= 0x80 {
			count := size & 0x7f
			if count == 0 || count > 3 || len(der) < 2+count {
				return found, false
			}
			size = 0
			for _, b := range der[2 : 2+count] {
				size = size<<8 | int(b)
			}
			if size < 0x80 || size>>(8*(count-1)) == 0 {
				return found, false // BER has longer forms than needed, DER has not
			}
			head += count
		}
		if len(der) < head+size {
			return found, false
		}
		found = append(found, element{der[0], der[head : head+size]})
		der = der[head+size:]
	}
	return found, len(der) == 0
}

// text reads a string as whoever has the certificate in hand would. What is no string is no identifier.
func (e element) text() string {
	switch e.tag {
	case tagUTF8, tagPrintable, tagT61, tagIA5, 18:
		return string(e.content)
	case tagBMP:
		var text []byte
		for i := 0; i+1 < len(e.content); i += 2 {
			text = utf8.AppendRune(text, rune(e.content[i])<<8|rune(e.content[i+1]))
		}
		return string(text)
	}
	return "\x00no string"
}

// commonNamesIn reads the common names of the content of a Name; an empty one counts as none.
func commonNamesIn(name []byte) []string {
	var found []string
	for _, set := range elements(name) {
		for _, attribute := range elements(set.content) {
			parts := elements(attribute.content)
			if len(parts) >= 2 && parts[0].tag == tagOID && string(parts[0].content) == derCommonName && parts[1].text() != "" {
				found = append(found, parts[1].text())
			}
		}
	}
	return found
}

// permanentIdentifiersIn reads those of a subjectAltName extension.
func permanentIdentifiersIn(extension []byte) []string {
	var found []string
	for _, names := range elements(extension) {
		for _, name := range elements(names.content) {
			parts := elements(name.content)
			if name.tag != 0xa0 || len(parts) < 2 || parts[0].tag != tagOID || string(parts[0].content) != derPermanentID {
				continue
			}
			value := ""
			for _, content := range elements(parts[1].content) {
				if fields := elements(content.content); len(fields) > 0 {
					value = fields[0].text()
				}
			}
			found = append(found, value)
		}
	}
	return found
}

// namesInCSR reads the names that a CSR claims. Which extensions it has is asked of crypto/x509, which
// passes over what is no attribute, and by which step-ca reads it too; what is in them is read here.
func namesInCSR(der []byte) (commonNames, permanentIdentifiers []string) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return []string{"\x00no CSR"}, nil
	}
	for _, extension := range csr.Extensions {
		if extension.Id.String() == oidSubjectAltName {
			permanentIdentifiers = append(permanentIdentifiers, permanentIdentifiersIn(extension.Value)...)
		}
	}
	return commonNamesIn(csr.RawSubject), permanentIdentifiers
}

// der writes an element.
func der(tag byte, parts ...string) string {
	content := strings.Join(parts, "")
	size := []byte{byte(len(content))}
	if len(content) >= 0x80 {
		size = []byte{0x82, byte(len(content) >> 8), byte(len(content))}
		if len(content) < 0x100 {
			size = []byte{0x81, byte(len(content))}
		}
	}
	return string(append([]byte{tag}, size...)) + content
}

// claim is what a certificate would claim, in the parts a CSR or a certificate is made of.
type claim struct {
	one, two, permanent          string
	tagOne, tagTwo, tagPermanent byte
	with                         uint8 // bits: common name one, two, permanent identifier, in one set
}

func (c claim) subject() string {
	attribute := func(tag byte, value string) string {
		return der(tagSequence, der(6, derCommonName), der(tag, value))
	}
	var parts []string
	if c.with&1 != 0 {
		parts = append(parts, attribute(c.tagOne, c.one))
	}
	if c.with&2 != 0 {
		parts = append(parts, attribute(c.tagTwo, c.two))
	}
	if c.with&8 != 0 && len(parts) > 0 {
		return der(tagSequence, der(tagSet, parts...))
	}
	for i, part := range parts {
		parts[i] = der(tagSet, part)
	}
	return der(tagSequence, parts...)
}

func (c claim) sans() string {
	names := der(0x82, "mac.example.com")
	if c.with&4 != 0 {
		names += der(0xa0, der(6, derPermanentID), der(0xa0, der(tagSequence, der(c.tagPermanent, c.permanent))))
	}
	return der(tagSequence, names)
}

// csr puts the claim into a CSR with the public key of a recorded one. Nobody verifies its signature.
func (c claim) csr(recorded []byte) string { return newCSR(recorded, c.subject(), c.sans()) }

func newCSR(recorded []byte, subject, sans string) string {
	info := elements(elements(elements(recorded)[0].content)[0].content)
	extensions := der(tagSequence, der(tagSequence, der(6, derSAN), der(4, sans)))
	attributes := der(0xa0, der(tagSequence, der(6, derExtensionRequest), der(tagSet, extensions)))
	algorithm := der(tagSequence, der(6, "\x2a\x86\x48\xce\x3d\x04\x03\x02"))
	return der(tagSequence,
		der(tagSequence, der(2, "\x00"), subject, der(info[2].tag, string(info[2].content)), attributes),
		algorithm, der(3, "\x00\x00"))
}

// recordedCSR is the DER of a real one, by way of step-ca.
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

// FuzzIdentifyCSR: whatever DER is accepted, a second reading of it finds no name but the attested one.
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
	// An attested identifier that is the placeholder of a value that is no string.
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

func claims(id string) []claim {
	var all []claim
	for with := range uint8(16) {
		all = append(all,
			claim{id, id, id, tagUTF8, tagPrintable, tagUTF8, with},
			claim{id, "C02OTHER", id, tagPrintable, tagUTF8, tagIA5, with},
			claim{"C02OTHER", id, id, tagT61, tagUTF8, tagUTF8, with},
			claim{id, "", "C02OTHER", tagUTF8, tagUTF8, tagUTF8, with},
			claim{"", strings.ToLower(id), "", tagIA5, tagUTF8, tagUTF8, with},
			claim{"\x00A", "\x01\x02", "\x01", tagBMP, 3, 2, with},
			claim{id + "\x00", id + " ", id, tagUTF8, tagUTF8, 4, with},
		)
	}
	return all
}

// FuzzIdentifyNames puts names into all forms in which step-ca sends them, and knows the answer
// beforehand: the identifier is accepted if and only if every name that is there equals it.
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
				return // not to be had in JSON, or not in our DER
			}
		}
		if with&1 != 0 && one == "" || with&2 != 0 && two == "" {
			return // whether an empty common name is none or a wrong one is not laid down; either is safe
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
		body, p := decode(SignedBody{content}, time.Date(2026, 11, 22, 2, 2, 21, 0, time.UTC), time.Second)
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

// FuzzIdentifyCertificate: whatever names are accepted in the JSON of a certificate, step-ca's way of reading it
// finds no name but the attested one.
func FuzzIdentifyCertificate(f *testing.F) {
	const id = "C02HARNESS01"
	text, err := os.ReadFile(filepath.Join("testdata", "authorizing.json"))
	if err != nil {
		f.Fatal(err)
	}
	var table []struct{ Sent json.RawMessage }
	if err := json.Unmarshal(text, &table); err != nil {
		f.Fatal(err)
	}
	for _, row := range table {
		f.Add([]byte(row.Sent))
	}
	for _, certificate := range []string{
		`{}`, `{"sans":[null],"extensions":[null],"subject":{"extraNames":[null]}}`,
		`{"sans":[{"type":"permanentIdentifier"}]}`, `{"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01","asn1Value":{"\u0131dentifier":"X"}}]}`,
		`{"sans":[{"type":"0001.03.6.1.5.5.7.8.3","value":"raw:oAA="}]}`, `{"extensions":[{"id":"1.-41.85.29.17","value":"MAA="}]}`,
		`{"subject":{"extraNames":[{"type":"0.-1.85.4.3","value":"X"}]}}`, `{"subject":{"extraNames":[{"type":"2.5.4.3","value":null}]}}`,
	} {
		f.Add([]byte(certificate))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		content := fmt.Appendf(nil, `{"timestamp":"2026-11-22T02:02:21Z","attestationData":{"permanentIdentifier":%q},"x509Certificate":%s}`, id, object)
		body, p := decode(SignedBody{content}, time.Date(2026, 11, 22, 2, 2, 21, 0, time.UTC), time.Second)
		if p != nil || body.X509Certificate == nil {
			return
		}
		got, p := identify(body)
		if p != nil {
			checkRefused(t, got, p)
			return
		}
		commonNames, permanentIdentifiers := namesThatStepCASigns(body.X509Certificate)
		checkIdentified(t, id, got, commonNames, permanentIdentifiers)
	})
}

// namesThatStepCASigns takes the texts in a certificate for what they are to step-ca, which made them out of a
// template: asn1Value is read by encoding/json, and OIDs have arcs that strconv reads and encoding/asn1 writes.
func namesThatStepCASigns(certificate *certificate) (commonNames, permanentIdentifiers []string) {
	overridden := false
	for _, extra := range certificate.Subject.ExtraNames {
		if derOfOID(extra.Type) == derCommonName {
			overridden = true
			var value any
			if json.Unmarshal(extra.Value, &value) != nil || value == nil {
				value = "\x00no string"
			}
			commonNames = append(commonNames, fmt.Sprint(value))
		}
	}
	if certificate.Subject.CommonName != "" && !overridden {
		commonNames = append(commonNames, certificate.Subject.CommonName)
	}
	if len(certificate.RawSubject) > 0 {
		commonNames = nil
		for _, sequence := range elements(certificate.RawSubject) {
			commonNames = append(commonNames, commonNamesIn(sequence.content)...)
		}
	}
	for _, san := range certificate.SANs {
		var value struct{ Identifier string }
		switch {
		case san.Type == "permanentIdentifier" && len(san.ASN1Value) > 0:
			if json.Unmarshal(san.ASN1Value, &value) == nil {
				permanentIdentifiers = append(permanentIdentifiers, value.Identifier)
			}
		case san.Type == "permanentIdentifier":
			permanentIdentifiers = append(permanentIdentifiers, san.Value)
		case derOfOID(san.Type) == derPermanentID:
			permanentIdentifiers = append(permanentIdentifiers, "\x00DER of the template's own")
		}
	}
	for _, extension := range certificate.Extensions {
		if derOfOID(extension.ID) == derSAN {
			permanentIdentifiers = append(permanentIdentifiers, permanentIdentifiersIn(extension.Value)...)
		}
	}
	return commonNames, permanentIdentifiers
}

// derOfOID is the contents of the DER that step-ca makes of a dotted OID, or "" where it makes none.
func derOfOID(text string) string {
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(text, ".") {
		number, err := strconv.Atoi(arc)
		if err != nil {
			return ""
		}
		oid = append(oid, number)
	}
	der, err := asn1.Marshal(oid)
	if err != nil {
		return ""
	}
	return string(elements(der)[0].content)
}

// inJSON writes the claim as the members of step-ca's certificate object.
func (c claim) inJSON(object map[string]any, form string) {
	subject := map[string]any{}
	var extra []any
	if c.with&1 != 0 {
		if form == "commonName" {
			subject["commonName"] = c.one
		} else {
			extra = append(extra, map[string]any{"type": "2.5.4.3", "value": c.one})
		}
	}
	if c.with&2 != 0 {
		extra = append(extra, map[string]any{"type": "2.5.4.3", "value": c.two})
	}
	subject["extraNames"] = extra
	object["subject"] = subject
	sans := []any{map[string]any{"type": "dns", "value": "mac.example.com"}}
	if c.with&4 != 0 {
		san := map[string]any{"type": "permanentIdentifier", "value": c.permanent}
		if c.with&8 != 0 {
			san = map[string]any{"type": "permanentIdentifier", "asn1Value": map[string]any{"identifier": c.permanent}}
		}
		sans = append(sans, san)
	}
	object["sans"] = sans
}

// refusal is the code by which the claim has to be refused, or "".
func (c claim) refusal(identifier string) posture.Code {
	if identifier == "" {
		return codeAttestationMissing
	}
	if _, err := posture.ParseIdentifier(identifier); err != nil {
		return posture.IdentifierInvalid
	}
	var names []string
	if c.with&1 != 0 {
		names = append(names, c.one)
	}
	if c.with&2 != 0 {
		names = append(names, c.two)
	}
	switch {
	case len(names) > 1, len(names) == 1 && names[0] != identifier:
		return codeCommonNameMismatch
	case c.with&4 != 0 && c.permanent != identifier:
		return codeSANMismatch
	}
	return ""
}

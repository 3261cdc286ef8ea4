package webhook

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// hasNoToken refuses a certificate that would show one of the tokens, or that has the attribute in which the CSR has it.
func (c *exchange) hasNoToken(tokens []enroll.Token) *Problem {
	rule := c.rule()
	where, err := c.tokenAttribute(rule)
	if err != nil {
		return problemf(codeMalformed, "decode body: %w", err)
	}
	if where == "" {
		var members struct {
			Certificate jsontext.Value `json:"x509Certificate"`
		}
		if err := json.Unmarshal(c.raw, &members); err != nil {
			return problemf(codeMalformed, "decode body: %w", err)
		}
		if anyText(members.Certificate, searchFor(tokens).shows) {
			where = "the certificate would have the enrolment token in a text of its subject, names or extensions"
		}
	}
	if where == "" {
		return nil
	}
	return problemf(codeTokenInCertificate, "%s; in the certificate template, copy the other attributes of the subject alone: "+templateLine, where, rule.In)
}

// templateLine keeps the token out of a certificate. A type is compared as JSON: of an OID, printf makes a list of numbers.
const templateLine = `"extraNames": [{{ $sep := "" }}{{ range .Insecure.CR.Subject.ExtraNames }}{{ if ne (toJson .Type) (toJson %q) }}{{ $sep }}{{ toJson . }}{{ $sep = "," }}{{ end }}{{ end }}]`

// tokenAttribute says that the subject of the certificate has the attribute in which a CSR has the token.
func (c *exchange) tokenAttribute(rule *posture.TokenRequirement) (where string, err error) {
	where = fmt.Sprintf("the subject of the certificate would have the attribute %s, in which the CSR has the enrolment token", rule.In)
	certificate := c.body.X509Certificate
	for _, extra := range certificate.Subject.ExtraNames {
		// Fail closed: step-ca may read an OID that is not canonical as this one.
		if extra.Type == rule.In || !certname.IsCanonicalOID(extra.Type) {
			return where, nil
		}
	}
	if len(certificate.RawSubject) > 0 {
		if texts, ok := subjectTexts(certificate.RawSubject, rule.In); !ok || len(texts) > 0 {
			return where, nil
		}
	}
	member := subjectMembers()[rule.In]
	if member == "" {
		return "", nil
	}
	var of struct {
		Certificate struct {
			Subject map[string]jsontext.Value `json:"subject"`
		} `json:"x509Certificate"`
	}
	if err := json.Unmarshal(c.raw, &of); err != nil {
		return "", err
	}
	if text := string(of.Certificate.Subject[member]); text != "" && text != "null" && text != `""` && text != "[]" {
		return where, nil
	}
	return "", nil
}

// subjectMembers are the attributes of a subject that step-ca writes into JSON members of their own.
// https://pkg.go.dev/go.step.sm/crypto/x509util#Subject
func subjectMembers() map[string]string {
	return map[string]string{
		"2.5.4.6": "country", "2.5.4.10": "organization", "2.5.4.11": "organizationalUnit", "2.5.4.7": "locality",
		"2.5.4.8": "province", "2.5.4.9": "streetAddress", "2.5.4.17": "postalCode",
	}
}

// anyText reports whether a text in JSON, a name or a value at any depth, is one of these.
func anyText(in jsontext.Value, is func(text []byte) bool) bool {
	from := jsontext.NewDecoder(bytes.NewReader(in))
	for {
		token, err := from.ReadToken()
		if err != nil {
			return !errors.Is(err, io.EOF) // fail closed; the decoder of the body has read it before
		}
		if token.Kind() == '"' && is([]byte(token.String())) {
			return true
		}
	}
}

// search looks for tokens in texts.
type search map[enroll.Hash]bool

func searchFor(tokens []enroll.Token) search {
	s := search{}
	for i := range tokens {
		s[tokens[i].Hash] = true
	}
	return s
}

// decodings is how often a text may be in base64: step-ca writes an extension in it, and a template may have done so before.
const decodings = 2

func (s search) shows(text []byte) bool { return s.showsIn(text, decodings) }

func (s search) showsIn(text []byte, decodings int) bool {
	if s.has(text) {
		return true
	}
	if bytes.IndexByte(text, 0) >= 0 && s.showsIn(bytes.ReplaceAll(text, []byte{0}, nil), decodings) {
		return true // a BMPString has a zero byte before each character
	}
	if decodings == 0 {
		return false
	}
	for _, run := range runs(text, isBase64) {
		for shift := range min(4, len(run)) { // what precedes the base64 may look like base64
			standard := bytes.Map(toStandard, run[shift:])
			decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(standard)))
			n, _ := base64.RawStdEncoding.Decode(decoded, standard) // as far as it is base64
			if n > 0 && s.showsIn(decoded[:n], decodings-1) {
				return true
			}
		}
	}
	return false
}

// has reports whether one of the tokens stands in a text. What precedes or follows it may be characters of its alphabet.
func (s search) has(text []byte) bool { return s.find(text) != "" }

// find returns the token in a text, or nothing.
func (s search) find(text []byte) string {
	for _, run := range runs(text, isBase64URL) {
		for i := 0; i+posture.TokenLength <= len(run); i++ {
			if token := string(run[i : i+posture.TokenLength]); s[enroll.HashOf(token)] {
				return token
			}
		}
	}
	return ""
}

// runs are the longest parts of a text of these characters that could have a token.
func runs(text []byte, is func(c byte) bool) (all [][]byte) {
	begin := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && is(text[i]) {
			continue
		}
		if i-begin >= posture.TokenLength {
			all = append(all, text[begin:i])
		}
		begin = i + 1
	}
	return all
}

func isBase64URL(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func isBase64(c byte) bool { return isBase64URL(c) || c == '+' || c == '/' }

func toStandard(c rune) rune {
	switch c {
	case '-':
		return '+'
	case '_':
		return '/'
	}
	return c
}

package webhook_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const wanted = "C02HARNESS01"

// authorizing is a row of a table that the end-to-end tests check with step-ca's own library: a certificate template,
// what step-ca sends for it, and the names that the certificate would have.
type authorizing struct {
	Name, Code     string
	Template, Sent map[string]json.RawMessage
	Signed         struct{ CommonNames, PermanentIdentifiers []string }
}

func readAuthorizing(tb testing.TB) []authorizing {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "authorizing.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var table []authorizing
	if err := json.Unmarshal(text, &table); err != nil {
		tb.Fatal(err)
	}
	return table
}

// A certificate that step-ca would sign with the name of another device is refused.
func TestNamesThatStepCASigns(t *testing.T) {
	t.Parallel()
	for _, row := range readAuthorizing(t) {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			send := func() {
				t.Helper()
				sent, err := json.Marshal(row.Sent)
				if err != nil {
					t.Fatal(err)
				}
				wantAnswer(t, `"x509Certificate":`+string(sent), row.Code)
			}
			send()
			other := func(name string) bool { return name != wanted }
			if row.Code == "" && (slices.ContainsFunc(row.Signed.CommonNames, other) || slices.ContainsFunc(row.Signed.PermanentIdentifiers, other)) {
				t.Errorf("it is allowed, but step-ca signs %+v", row.Signed)
			}
			// The connector reads sans itself, and not only the extension that step-ca makes from it.
			if _, own := row.Template["extensions"]; !own {
				row.Sent["extensions"] = json.RawMessage("null")
				send()
			}
		})
	}
}

// newCSR makes a real CSR with the common names and the extension given.
func newCSR(t *testing.T, commonNames []any, sanExtension []byte) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var subject pkix.RDNSequence
	for _, name := range commonNames {
		subject = append(subject, pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: name}})
	}
	template := &x509.CertificateRequest{}
	if template.RawSubject, err = asn1.Marshal(subject); err != nil {
		t.Fatal(err)
	}
	if sanExtension != nil {
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: sanExtension}}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// newSANExtension makes the DER of a subjectAltName extension: a DNS name, and the permanent identifiers given.
func newSANExtension(t *testing.T, identifiers ...string) []byte {
	t.Helper()
	names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("mac.example.com")}}
	for _, identifier := range identifiers {
		content, err := asn1.Marshal(struct {
			Identifier string `asn1:"utf8,optional"`
		}{identifier})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, otherName(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}, content))
	}
	der, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// newUUIDExtension is like newSANExtension, but the first name is an otherName whose type is in the arc of UUIDs, with a
// number that no int can hold.
func newUUIDExtension(t *testing.T, identifier string) []byte {
	t.Helper()
	oid, err := x509.ParseOID("2.25.329800735698586629295641978511506172918")
	if err != nil {
		t.Fatal(err)
	}
	contents, err := oid.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	id, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagOID, Bytes: contents})
	if err != nil {
		t.Fatal(err)
	}
	name, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: append(id, "\xa0\x02\x05\x00"...)})
	if err != nil {
		t.Fatal(err)
	}
	var names []asn1.RawValue
	if _, err := asn1.Unmarshal(newSANExtension(t, identifier), &names); err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(append([]asn1.RawValue{{FullBytes: name}}, names...))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func otherName(t *testing.T, oid asn1.ObjectIdentifier, content []byte) asn1.RawValue {
	t.Helper()
	id, err := asn1.Marshal(oid)
	if err != nil {
		t.Fatal(err)
	}
	value, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: content})
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: append(id, value...)}
}

// wantAnswer sends a body about the device wanted and compares the code; "" means an allow.
func wantAnswer(t *testing.T, objects, want string) {
	t.Helper()
	body := `{` + stamp + `,` + data + `,` + objects + `}`
	switch want {
	case "":
		if r := postSigned(t, having(wanted, ""), body); r.text != `{"allow":true,"data":{}}` {
			t.Errorf("got %s, want an allow", r.text)
		}
	case "malformed":
		wantRefusal(t, postSigned(t, neverAsked(t), body), http.StatusBadRequest, want)
	default:
		wantRefusal(t, postSigned(t, neverAsked(t), body), http.StatusOK, want)
	}
}

// Only the DER of the CSR counts, not the JSON beside it.
func TestNamesInCSR(t *testing.T) {
	t.Parallel()
	one := func(names ...any) []any { return names }
	for name, test := range map[string]struct {
		commonNames []any
		extension   []byte
		json        string
		want        string
	}{
		"same common name":         {one(wanted), nil, "", ""},
		"no common name":           {nil, nil, "", ""},
		"common name of another":   {one("C02OTHER0001"), nil, "", "commonNameMismatch"},
		"common name in low case":  {one("c02harness01"), nil, "", "commonNameMismatch"},
		"common name with a space": {one(wanted + " "), nil, "", "commonNameMismatch"},
		"common name with a NUL":   {one(wanted + "\x00"), nil, "", "commonNameMismatch"},
		"common name twice":        {one(wanted, wanted), nil, "", "commonNameMismatch"},
		"other one first":          {one("C02OTHER0001", wanted), nil, "", "commonNameMismatch"},
		"common name is a number":  {one(17), nil, "", "commonNameMismatch"},
		"JSON subject is not read": {one(wanted), nil, `,"subject":{"commonName":"C02OTHER0001"}`, ""},
		"JSON subject is no help":  {one("C02OTHER0001"), nil, `,"subject":{"commonName":"C02HARNESS01"}`, "commonNameMismatch"},

		"same SAN":                  {one(wanted), newSANExtension(t, wanted), "", ""},
		"no permanent identifier":   {one(wanted), newSANExtension(t), "", ""},
		"SAN of another":            {one(wanted), newSANExtension(t, "C02OTHER0001"), "", "sanMismatch"},
		"SAN in low case":           {one(wanted), newSANExtension(t, "c02harness01"), "", "sanMismatch"},
		"second SAN of another":     {one(wanted), newSANExtension(t, wanted, "C02OTHER0001"), "", "sanMismatch"},
		"SAN without a value":       {one(wanted), newSANExtension(t, ""), "", "sanMismatch"},
		"other name of a UUID":      {one(wanted), newUUIDExtension(t, wanted), "", ""},
		"the same, SAN of another":  {one(wanted), newUUIDExtension(t, "C02OTHER0001"), "", "sanMismatch"},
		"SAN of another, JSON list": {one(wanted), nil, `,"sans":[{"type":"permanentIdentifier","value":"C02OTHER0001"}]`, "sanMismatch"},
		"other kinds, JSON list":    {one(wanted), nil, `,"sans":[{"type":"dns","value":"x"},{"type":"email","value":"a@b"}]`, ""},
		"both wrong":                {one("C02OTHER0001"), newSANExtension(t, "C02OTHER0001"), "", "commonNameMismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := newCSR(t, test.commonNames, test.extension)
			wantAnswer(t, fmt.Sprintf(`"x509CertificateRequest":{"raw":%q%s}`, raw, test.json), test.want)
		})
	}
}

func TestCSRThatDoesNotParse(t *testing.T) {
	t.Parallel()
	raw := newCSR(t, []any{wanted}, nil)
	der, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"missing":    `{}`,
		"null":       `{"raw":null}`,
		"empty":      `{"raw":""}`,
		"a number":   `{"raw":1}`,
		"not base64": `{"raw":"?"}`,
		"PEM":        `{"raw":"-----BEGIN CERTIFICATE REQUEST-----\n` + raw + `\n-----END CERTIFICATE REQUEST-----"}`,
		"not DER":    `{"raw":"aGVsbG8="}`,
		"cut short":  `{"raw":"` + base64.StdEncoding.EncodeToString(der[:len(der)-1]) + `"}`,
		"trailing":   `{"raw":"` + base64.StdEncoding.EncodeToString(append(der, 0)) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantAnswer(t, `"x509CertificateRequest":`+value, "malformed")
		})
	}
}

// AUTHORIZING has no DER: the names are in the JSON of the future certificate.
func TestNamesInCertificate(t *testing.T) {
	t.Parallel()
	extension := func(identifiers ...string) string {
		return fmt.Sprintf(`"extensions":[{"id":"2.5.29.17","value":%q}]`, base64.StdEncoding.EncodeToString(newSANExtension(t, identifiers...)))
	}
	rawSubject := func(name string) string {
		der, err := asn1.Marshal(pkix.Name{CommonName: name}.ToRDNSequence())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`"rawSubject":%q`, base64.StdEncoding.EncodeToString(der))
	}
	for name, test := range map[string]struct{ members, want string }{
		"no subject":                  {``, ""},
		"null subject":                {`"subject":null,"sans":null,"extensions":null,"raw":null,"serialNumber":null`, ""},
		"same common name":            {`"subject":{"commonName":"C02HARNESS01","organizationalUnit":["Lab"]}`, ""},
		"empty common name":           {`"subject":{"commonName":""}`, ""},
		"common name of another":      {`"subject":{"commonName":"C02OTHER0001"}`, "commonNameMismatch"},
		"common name in low case":     {`"subject":{"commonName":"c02harness01"}`, "commonNameMismatch"},
		"common name is a number":     {`"subject":{"commonName":1}`, "malformed"},
		"common name twice":           {`"subject":{"commonName":"C02HARNESS01","commonName":"C02OTHER0001"}`, "malformed"},
		"second name among extras":    {`"subject":{"commonName":"C02HARNESS01","extraNames":[{"type":"2.5.4.3","value":"C02HARNESS01"}]}`, "commonNameMismatch"},
		"other name among extras":     {`"subject":{"extraNames":[{"type":"2.5.4.3","value":"C02OTHER0001"}]}`, "commonNameMismatch"},
		"other attribute":             {`"subject":{"commonName":"C02HARNESS01","extraNames":[{"type":"2.5.4.5","value":"x"}]}`, ""},
		"raw subject of another":      {`"subject":{"commonName":"C02HARNESS01"},` + rawSubject("C02OTHER0001"), "commonNameMismatch"},
		"same raw subject":            {`"subject":{"commonName":"C02HARNESS01"},` + rawSubject(wanted), ""},
		"raw subject not DER":         {`"rawSubject":"aGVsbG8="`, "malformed"},
		"same SAN":                    {`"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01"},{"type":"email","value":"lab@example.com"}],` + extension(wanted), ""},
		"SAN of another":              {`"sans":[{"type":"permanentIdentifier","value":"C02OTHER0001"}]`, "sanMismatch"},
		"SAN in low case":             {`"sans":[{"type":"permanentIdentifier","value":"c02harness01"}]`, "sanMismatch"},
		"second SAN of another":       {`"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01"},{"type":"permanentIdentifier","value":"X"}]`, "sanMismatch"},
		"SAN without a value":         {`"sans":[{"type":"permanentIdentifier"}]`, "sanMismatch"},
		"same in asn1Value":           {`"sans":[{"type":"permanentIdentifier","value":"","asn1Value":{"identifier":"C02HARNESS01","assigner":"1.2.3"}}]`, ""},
		"another in asn1Value":        {`"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01","asn1Value":{"identifier":"X"}}]`, "sanMismatch"},
		"null in asn1Value":           {`"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01","asn1Value":null}]`, "sanMismatch"},
		"another case in asn1Value":   {`"sans":[{"type":"permanentIdentifier","asn1Value":{"identifier":"C02HARNESS01","Identifier":"X"}}]`, "sanMismatch"},
		"identifier twice":            {`"sans":[{"type":"permanentIdentifier","asn1Value":{"identifier":"C02HARNESS01","identifier":"X"}}]`, "malformed"},
		"word in another case":        {`"sans":[{"type":"PermanentIdentifier","value":"C02HARNESS01"}]`, "sanMismatch"},
		"unknown word":                {`"sans":[{"type":"serialNumber","value":"C02HARNESS01"}]`, "sanMismatch"},
		"asn1Value of the wrong type": {`"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01","asn1Value":[1]}]`, "malformed"},
		"extension of another":        {extension("C02OTHER0001"), "sanMismatch"},
		"extension beside a good SAN": {`"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01"}],` + extension("C02OTHER0001"), "sanMismatch"},
		"extension not DER":           {`"extensions":[{"id":"2.5.29.17","value":"aGVsbG8="}]`, "malformed"},
		"extension, negative arc":     {strings.Replace(extension("C02OTHER0001"), "29.17", "29.-1.17", 1), "sanMismatch"},
		"extension, leading zero":     {strings.Replace(extension("C02OTHER0001"), "29.17", "29.017", 1), "sanMismatch"},
		"name, negative arc":          {`"subject":{"extraNames":[{"type":"2.5.4.-1.3","value":"C02OTHER0001"}]}`, "commonNameMismatch"},
		"other extension":             {`"extensions":[{"id":"1.2.3","critical":true,"value":"aGVsbG8="}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantAnswer(t, `"x509Certificate":{`+test.members+`}`, test.want)
		})
	}
}

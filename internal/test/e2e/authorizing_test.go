package e2e_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smallstep/certificates/webhook"
	"go.step.sm/crypto/x509util"

	"step-posture-connector/internal/test/e2e/toolchain"
)

// The attested device, and another one whose name must not get into its certificate.
const (
	attestedSerial = "C02HARNESS01"
	stolenSerial   = "C02OTHER0001"
)

// updateTable is a variable: with any value, TestAuthorizing writes into the table what
// step-ca sends and signs. A new version of step-ca may need that.
const updateTable = "UPDATE_AUTHORIZING"

// authorizing is a row of the table of AUTHORIZING requests: what step-ca's library makes
// from a certificate template. The webhook's tests read the table too, without step-ca.
type authorizing struct {
	Name     string          `json:"name"`
	Code     string          `json:"code"` // of the connector's answer; empty for an allow
	Template json.RawMessage `json:"template"`
	Sent     json.RawMessage `json:"sent"`   // the names in x509Certificate, as step-ca sends them
	Signed   signedNames     `json:"signed"` // the names in the certificate that step-ca would sign
}

type signedNames struct {
	CommonNames          []string `json:"commonNames"`
	PermanentIdentifiers []string `json:"permanentIdentifiers"`
}

// nameAnother reports whether a name is not that of the attested device.
func (n signedNames) nameAnother() bool {
	other := func(name string) bool { return name != attestedSerial }
	return len(n.CommonNames) > 1 || slices.ContainsFunc(n.CommonNames, other) || slices.ContainsFunc(n.PermanentIdentifiers, other)
}

// TestAuthorizing makes certificates with step-ca's own library, from templates that try
// to add the name of another device, and sends the connector what step-ca would send:
// every certificate that names another device is denied.
func TestAuthorizing(t *testing.T) {
	programs, err := toolchain.Locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := programs.BuildConnector(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := startCaller(t, programs.Connector())
	path := filepath.Join(programs.Repository(), "internal", "webhook", "testdata", "authorizing.json")
	table, update := readAuthorizing(t, path), os.Getenv(updateTable) != ""
	for i, row := range table {
		certificate, leaf, err := c.fill(row.Template)
		if err != nil {
			t.Errorf("%s: step-ca does not accept the template: %v", row.Name, err)
			continue
		}
		sent := namesSent(t, certificate, leaf)
		signed, err := c.sign(leaf)
		if err != nil {
			t.Errorf("%s: step-ca does not sign it: %v", row.Name, err)
		}
		if update {
			table[i].Sent, table[i].Signed = sent, signed
		} else if !bytes.Equal(sent, row.Sent) || !slices.Equal(signed.CommonNames, row.Signed.CommonNames) || !slices.Equal(signed.PermanentIdentifiers, row.Signed.PermanentIdentifiers) {
			t.Errorf("%s: step-ca sends %s and signs %+v; run the test with %s=1", row.Name, sent, signed, updateTable)
		}
		if got := c.ask(t, certificate, leaf); got != row.Code {
			t.Errorf("%s: the connector answers %q, want %q", row.Name, got, row.Code)
		}
		if row.Code == "" && signed.nameAnother() {
			t.Errorf("%s: allowed, but step-ca signs %+v", row.Name, signed)
		}
	}
	if update {
		writeAuthorizing(t, path, table)
	}
	asked := 0
	for template := range combinations() {
		certificate, leaf, err := c.fill(template)
		if err != nil {
			continue // step-ca fails before the webhook
		}
		asked++
		code := c.ask(t, certificate, leaf)
		signed, err := c.sign(leaf)
		if code == "" && err == nil && signed.nameAnother() {
			t.Errorf("%s is allowed, but step-ca signs %+v", template, signed)
		}
		if code != "" && code != "malformed" && code != "sanMismatch" && code != "commonNameMismatch" {
			t.Errorf("%s: the connector answers %q", template, code)
		}
	}
	if asked < 500 {
		t.Errorf("step-ca accepted %d of the combined templates, want most of them", asked)
	}
}

// combinations yields templates with every type of name and every form of value.
func combinations() func(yield func(json.RawMessage) bool) {
	values := []string{
		attestedSerial, stolenSerial, "", "utf8:" + attestedSerial, "utf8:" + stolenSerial, "ia5:" + stolenSerial, "printable:" + stolenSerial,
		"raw:oBAwDgwMQzAySEFSTkVTUzAx", "raw:oBAwDgwMQzAyT1RIRVIwMDAx", "raw,utf8:oBAwDgwMQzAyT1RIRVIwMDAx", "oid:1.2.3", "int:5",
	}
	asn1Values := []string{
		"", "null", "{}", `{"identifier":"` + attestedSerial + `"}`, `{"identifier":"` + stolenSerial + `"}`, `{"Identifier":"` + attestedSerial + `"}`,
		`{"identifier":"` + attestedSerial + `","iDentifier":"` + stolenSerial + `"}`, `{"iDentifier":"` + stolenSerial + `","identifier":"` + attestedSerial + `"}`,
		`{"ident\u0131fier":"` + attestedSerial + `"}`, `{"identifier":"` + attestedSerial + `","a\u017f\u017figner":"1.2.3"}`,
		`{"identifier":null}`, `{"identifier":"` + attestedSerial + `","assigner":"1.2.3"}`, `{"identifier":"` + attestedSerial + `","x":1}`,
	}
	types := append(spellings(1, 3, 6, 1, 5, 5, 7, 8, 3),
		"permanentIdentifier", "PermanentIdentifier", "permanentidentifier", "", "auto", "dns", "DNS", "uri", "dn", "registeredID", "hardwareModuleName", "userPrincipalName", "1.2.3")
	return func(yield func(json.RawMessage) bool) {
		text := func(s string) string { return strconv.Quote(s) }
		for _, kind := range types {
			asn1Values := asn1Values
			if strings.Contains(kind, "1") { // an OID: step-ca does not read them for it
				asn1Values = asn1Values[:1]
			}
			for _, value := range values {
				for _, asn1Value := range asn1Values {
					if asn1Value != "" {
						asn1Value = `,"asn1Value":` + asn1Value
					}
					if !yield(json.RawMessage(`{"sans":[{"type":` + text(kind) + `,"value":` + text(value) + asn1Value + `}]}`)) {
						return
					}
				}
			}
		}
		for _, kind := range spellings(2, 5, 4, 3) {
			for _, more := range []string{"", `"commonName":"` + attestedSerial + `",`, `"commonName":"` + stolenSerial + `",`} {
				for _, value := range []string{text(attestedSerial), text(stolenSerial), `""`, "null", "1", "true", `["` + stolenSerial + `"]`} {
					if !yield(json.RawMessage(`{"subject":{` + more + `"extraNames":[{"type":` + text(kind) + `,"value":` + value + `}]}}`)) {
						return
					}
				}
			}
		}
		const ours, stolen = "MB6gHAYIKwYBBQUHCAOgEDAODAxDMDJIQVJORVNTMDE=", "MB6gHAYIKwYBBQUHCAOgEDAODAxDMDJPVEhFUjAwMDE="
		for _, kind := range append(spellings(2, 5, 29, 17), "", "1.2.3") {
			for _, value := range []string{ours, stolen, "", "MAA="} {
				for _, more := range []string{"", `"sans":[{"type":"permanentIdentifier","value":"` + attestedSerial + `"}],`, `"dnsNames":"a.example",`} {
					if !yield(json.RawMessage(`{` + more + `"extensions":[{"id":` + text(kind) + `,"value":` + text(value) + `}]}`)) {
						return
					}
				}
			}
		}
	}
}

// spellings writes an OID in every form that step-ca may accept.
func spellings(arcs ...int) []string {
	write := func(arcs []string) string {
		var b bytes.Buffer
		for i, arc := range arcs {
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(arc)
		}
		return b.String()
	}
	plain := make([]string, len(arcs))
	for i, arc := range arcs {
		plain[i] = strconv.Itoa(arc)
	}
	all := []string{write(plain), write(plain) + ".", " " + write(plain)}
	for i := range plain {
		for _, spelling := range []string{"0" + plain[i], "+" + plain[i], "-" + plain[i], plain[i] + ".-1", plain[i] + ".9223372036854775807", plain[i] + ".-9223372036854775808"} {
			changed := slices.Clone(plain)
			changed[i] = spelling
			all = append(all, write(changed))
		}
	}
	// The first two arcs are one number in DER. An OID whose number overflows is invalid.
	first := arcs[0]*40 + arcs[1]
	for _, begin := range []string{fmt.Sprintf("2.%d", first-80), fmt.Sprintf("2.9223372036854775807.%d", first), fmt.Sprintf("2.-81.%d", first), fmt.Sprintf("1.-41.%d", first), fmt.Sprintf("0.-1.%d", first)} {
		all = append(all, write(append([]string{begin}, plain[2:]...)))
	}
	return all
}

// namesSent is what step-ca sends, without the members that have no name.
func namesSent(t *testing.T, certificate *x509util.Certificate, leaf *x509.Certificate) json.RawMessage {
	t.Helper()
	content, err := webhook.NewRequestBody(webhook.WithX509Certificate(certificate, leaf))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(content.X509Certificate)
	if err != nil {
		t.Fatal(err)
	}
	var names struct {
		Subject    json.RawMessage `json:"subject"`
		RawSubject json.RawMessage `json:"rawSubject"`
		SANs       json.RawMessage `json:"sans"`
		Extensions json.RawMessage `json:"extensions"`
	}
	if err := json.Unmarshal(text, &names); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(names); err != nil {
		t.Fatal(err)
	}
	return text
}

func readAuthorizing(t *testing.T, path string) []authorizing {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table []authorizing
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

// writeAuthorizing writes each member of a row on its own line.
func writeAuthorizing(t *testing.T, path string, table []authorizing) {
	t.Helper()
	var text bytes.Buffer
	for i, row := range table {
		encoded := make([][]byte, 0, 5)
		for _, part := range []any{row.Name, row.Code, row.Template, row.Sent, row.Signed} {
			content, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			encoded = append(encoded, content)
		}
		separator := ",\n"
		if i == 0 {
			separator = "[\n"
		}
		fmt.Fprintf(&text, "%s{\"name\": %s, \"code\": %s,\n  \"template\": %s,\n  \"sent\": %s,\n  \"signed\": %s}",
			separator, encoded[0], encoded[1], encoded[2], encoded[3], encoded[4])
	}
	text.WriteString("\n]\n")
	writeFile(t, path, text.String())
}

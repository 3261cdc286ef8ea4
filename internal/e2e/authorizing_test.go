package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/certificates/webhook"
	"go.step.sm/crypto/x509util"

	"step-posture-connector/internal/e2e/connector"
	"step-posture-connector/internal/e2e/process"
	"step-posture-connector/internal/e2e/stepca"
	"step-posture-connector/internal/e2e/toolchain"
)

// The device that was attested, and one whose name must not get into its certificate.
const (
	attestedSerial = "C02HARNESS01"
	stolenSerial   = "C02OTHER0001"
)

var update = flag.Bool("update", false, "write what step-ca sends and signs into the table of AUTHORIZING requests")

// authorizing is a row of the table of AUTHORIZING requests, which the tests of the
// webhook read too, without step-ca: what step-ca's library makes of a certificate
// template.
type authorizing struct {
	Name     string          `json:"name"`
	Code     string          `json:"code"` // of the connector's answer; empty where it allows
	Template json.RawMessage `json:"template"`
	Sent     json.RawMessage `json:"sent"`   // the names in x509Certificate, as step-ca sends them
	Signed   signedNames     `json:"signed"` // the names in the certificate that step-ca would sign
}

type signedNames struct {
	CommonNames          []string `json:"commonNames"`
	PermanentIdentifiers []string `json:"permanentIdentifiers"`
}

// nameAnother reports whether the names are others than that of the attested device.
func (n signedNames) nameAnother() bool {
	other := func(name string) bool { return name != attestedSerial }
	return len(n.CommonNames) > 1 || slices.ContainsFunc(n.CommonNames, other) || slices.ContainsFunc(n.PermanentIdentifiers, other)
}

// TestAuthorizing has step-ca's own library make certificates of templates that try
// to get the name of another device into them, and sends the connector what step-ca
// would send: whatever names another device is refused.
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
	table := readAuthorizing(t, path)
	for i, row := range table {
		certificate, leaf, err := c.fill(row.Template)
		if err != nil {
			t.Errorf("%s: step-ca does not take the template: %v", row.Name, err)
			continue
		}
		sent := namesSent(t, certificate, leaf)
		signed, err := c.sign(leaf)
		if err != nil {
			t.Errorf("%s: step-ca does not sign it: %v", row.Name, err)
		}
		if *update {
			table[i].Sent, table[i].Signed = sent, signed
		} else if !bytes.Equal(sent, row.Sent) || !slices.Equal(signed.CommonNames, row.Signed.CommonNames) || !slices.Equal(signed.PermanentIdentifiers, row.Signed.PermanentIdentifiers) {
			t.Errorf("%s: step-ca sends %s and signs %+v; run the test with -update", row.Name, sent, signed)
		}
		if got := c.ask(t, certificate, leaf); got != row.Code {
			t.Errorf("%s: the connector answers %q, want %q", row.Name, got, row.Code)
		}
		if row.Code == "" && signed.nameAnother() {
			t.Errorf("%s: is allowed, but step-ca signs %+v", row.Name, signed)
		}
	}
	if *update {
		writeAuthorizing(t, path, table)
	}
	asked := 0
	for template := range combinations() {
		certificate, leaf, err := c.fill(template)
		if err != nil {
			continue // step-ca would not come so far
		}
		asked++
		code := c.ask(t, certificate, leaf)
		signed, err := c.sign(leaf)
		if code == "" && err == nil && signed.nameAnother() {
			t.Errorf("%s is allowed, but step-ca signs %+v", template, signed)
		}
		if code != "" && code != "malformed" && code != "sanMismatch" && code != "commonNameMismatch" {
			t.Errorf("%s is answered with %q", template, code)
		}
	}
	if asked < 500 {
		t.Errorf("step-ca took %d of the combined templates, want most of them", asked)
	}
}

// combinations yields templates with every type of name in every form of value.
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
			if strings.Contains(kind, "1") { // an OID, for which step-ca does not read them
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

// spellings writes an OID in every way that step-ca may take for it.
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
	// The first two arcs are one number in DER. One that overflows is none at all.
	first := arcs[0]*40 + arcs[1]
	for _, begin := range []string{fmt.Sprintf("2.%d", first-80), fmt.Sprintf("2.9223372036854775807.%d", first), fmt.Sprintf("2.-81.%d", first), fmt.Sprintf("1.-41.%d", first), fmt.Sprintf("0.-1.%d", first)} {
		all = append(all, write(append([]string{begin}, plain[2:]...)))
	}
	return all
}

// caller calls a connector as step-ca does, with certificates that step-ca's library makes.
type caller struct {
	csr         *x509.CertificateRequest
	ca          *x509.Certificate
	key         *ecdsa.PrivateKey
	client      *http.Client
	url         string
	credentials stepca.Credentials
}

// startCaller starts a connector that knows the attested device.
func startCaller(t *testing.T, binary string) *caller {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{key: key, credentials: stepca.Credentials{ID: webhookID, Secret: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 64))}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c.ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	if c.csr, err = x509.ParseCertificateRequest(request); err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := connector.Config{
		Binary: binary, Dir: dir, Certificate: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key"),
		Webhooks:  []stepca.Credentials{c.credentials},
		Inventory: connector.File{Path: filepath.Join(dir, "inventory.json"), Type: "json"},
	}
	writeFile(t, config.Certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, config.Key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	writeFile(t, filepath.Join(dir, "inventory.json"), `{"devices":[{"identifier":"`+attestedSerial+`"}]}`)
	var running *connector.Connector
	err = process.RetryPort(t.Context(), func(ctx context.Context, port int) error {
		config.Port = port
		c.url = fmt.Sprintf("https://127.0.0.1:%d/webhook/device-attest", port)
		running, err = connector.Start(ctx, config)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.ca)
	c.client = &http.Client{Timeout: answerTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}}
	t.Cleanup(func() {
		c.client.CloseIdleConnections()
		if err := running.Stop(); err != nil {
			t.Errorf("stop connector: %v", err)
		}
	})
	return c
}

// fill executes a certificate template.
func (c *caller) fill(template json.RawMessage) (*x509util.Certificate, *x509.Certificate, error) {
	certificate, err := x509util.NewCertificate(c.csr, x509util.WithTemplate(string(template), x509util.TemplateData{}))
	if err != nil {
		return nil, nil, err
	}
	leaf := certificate.GetCertificate()
	leaf.NotBefore, leaf.NotAfter = c.ca.NotBefore, c.ca.NotAfter
	return certificate, leaf, nil
}

// sign makes the certificate and reads its names.
func (c *caller) sign(leaf *x509.Certificate) (signedNames, error) {
	names := signedNames{[]string{}, []string{}}
	certificate, err := x509util.CreateCertificate(leaf, c.ca, c.key.Public(), c.key)
	if err != nil {
		return names, err
	}
	for _, attribute := range certificate.Subject.Names {
		if attribute.Type.String() == "2.5.4.3" {
			names.CommonNames = append(names.CommonNames, fmt.Sprint(attribute.Value))
		}
	}
	for _, extension := range certificate.Extensions {
		if extension.Id.String() == "2.5.29.17" {
			names.PermanentIdentifiers = append(names.PermanentIdentifiers, permanentIdentifiersIn(extension.Value)...)
		}
	}
	return names, nil
}

// permanentIdentifiersIn reads a subjectAltName extension as a careless client
// would: whatever is or contains a string is an identifier.
func permanentIdentifiersIn(extension []byte) []string {
	var found []string
	var names []asn1.RawValue
	if _, err := asn1.Unmarshal(extension, &names); err != nil {
		return []string{"unreadable"}
	}
	for _, name := range names {
		var oid asn1.RawValue
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 {
			continue
		}
		rest, err := asn1.Unmarshal(name.Bytes, &oid)
		if err != nil {
			found = append(found, "unreadable")
			continue
		}
		minimal := bytes.ReplaceAll(oid.Bytes, []byte{0x80}, nil)
		if string(minimal) != "\x2b\x06\x01\x05\x05\x07\x08\x03" {
			continue
		}
		identifiers := stringsIn(rest)
		if len(identifiers) == 0 {
			identifiers = []string{""}
		}
		found = append(found, identifiers...)
	}
	return found
}

func stringsIn(der []byte) []string {
	var found []string
	for len(der) > 0 {
		var value asn1.RawValue
		rest, err := asn1.Unmarshal(der, &value)
		switch {
		case err != nil:
			return append(found, "unreadable")
		case value.IsCompound:
			found = append(found, stringsIn(value.Bytes)...)
		case value.Tag != asn1.TagOID:
			found = append(found, string(value.Bytes))
		}
		der = rest
	}
	return found
}

// ask sends the connector what step-ca sends before it signs, and returns the code
// of the answer, which is empty where it allows.
func (c *caller) ask(t *testing.T, certificate *x509util.Certificate, leaf *x509.Certificate) string {
	t.Helper()
	content, err := webhook.NewRequestBody(
		webhook.WithX509Certificate(certificate, leaf),
		webhook.WithAttestationData(&webhook.AttestationData{PermanentIdentifier: attestedSerial}))
	if err != nil {
		t.Fatal(err)
	}
	content.Timestamp = time.Now()
	body, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base64.StdEncoding.DecodeString(c.credentials.Secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Smallstep-Webhook-ID", c.credentials.ID)
	request.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	response, err := c.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer webhook.ResponseBody
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	if !answer.Allow && answer.Error == nil {
		t.Fatalf("the connector answers %s", text)
	}
	if answer.Allow {
		return ""
	}
	return answer.Error.Code
}

// namesSent is what step-ca sends, without the members that hold no name.
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

// writeAuthorizing writes a part of a row on each line.
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

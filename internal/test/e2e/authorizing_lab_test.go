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
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/smallstep/certificates/webhook"
	"go.step.sm/crypto/x509util"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

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
// would: every value that is or contains a string is an identifier.
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
// of the answer, which is empty for an allow.
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

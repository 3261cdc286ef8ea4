package upgrade_test

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

// order is a call of step-ca, and what the answer to it is now.
type order struct {
	name       string // by default the identifier
	identifier string // that is attested
	query      string
	change     func(*call)
	before     func(*jamftest.Server)
	now        string // "allow", or the code of the refusal
	data       string // where it is allowed, and the data is not that of v1.0.0
	differs    string // the row of docs/upgrade.md, where the answer differs from that of v1.0.0
}

// call is what an order may change about the call of step-ca.
type call struct {
	method, path     string
	commonName       string // of the CSR
	sans             []map[string]string
	age              time.Duration
	authorizing      bool
	id, secret, tail string
	header           map[string]string
}

// answer is what came back. v1.0.0 has no code.
type answer struct {
	Status int             `json:"status"`
	Allow  bool            `json:"allow"`
	Code   string          `json:"code,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
}

// send makes the call to a running program.
func (o order) send(t *testing.T, client *http.Client, address string) answer {
	t.Helper()
	c := call{method: http.MethodPost, path: "/webhook/device-attest", commonName: o.identifier, id: program.WebhookID, secret: program.WebhookSecret}
	if o.change != nil {
		o.change(&c)
	}
	body := c.body(t, o.identifier)
	secret, err := base64.StdEncoding.DecodeString(c.secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	request, err := http.NewRequestWithContext(t.Context(), c.method, "https://"+address+c.path+o.query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Smallstep-Webhook-ID", c.id)
	request.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	for name, value := range c.header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", o.title(), err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Allow bool
		Data  json.RawMessage
		Error struct{ Code string }
	}
	// What is no JSON, as the page of a 404, allows nothing.
	if err := json.Unmarshal(text, &read); err != nil {
		return answer{Status: response.StatusCode}
	}
	return answer{response.StatusCode, read.Allow, read.Error.Code, read.Data}
}

func (o order) title() string { return cmp.Or(o.name, o.identifier+o.query) }

// body is what step-ca sends, with the members that either program reads.
func (c *call) body(t *testing.T, identifier string) []byte {
	t.Helper()
	certificate := map[string]any{"subject": map[string]string{"commonName": c.commonName}, "dnsNames": []string{}, "sans": c.sans, "raw": nil}
	key := "x509Certificate"
	if !c.authorizing {
		subject := pkix.Name{CommonName: c.commonName}
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, program.NewECKey(t))
		if err != nil {
			t.Fatal(err)
		}
		key, certificate["raw"] = "x509CertificateRequest", csr
	}
	body, err := json.Marshal(map[string]any{
		"timestamp":       time.Now().Add(-c.age).Format(time.RFC3339Nano),
		"attestationData": map[string]string{"permanentIdentifier": identifier},
		key:               certificate,
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(body, c.tail...)
}

// stepCA is an HTTP client with a certificate, which is asked for where mutual TLS is on.
func stepCA(t *testing.T, p *program.PKI) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*p.ClientCertificate(t, program.LeafTemplate("step-ca"))}}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: program.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

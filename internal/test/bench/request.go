package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"
)

const attestPath = "/webhook/device-attest"

// maxResponse bounds an answer, in bytes.
const maxResponse = 64 << 10

// webhookID names the one webhook of the benchmark.
const webhookID = "9445a147-807d-4547-a404-e80f908d2009"

// sample is the body of a real request of step-ca v0.30.2, kind ENRICHING, byte for byte.
//
//go:embed testdata/enriching.json
var sample []byte

// caller makes webhook calls as step-ca does.
type caller struct {
	secret []byte
	key    *ecdsa.PrivateKey // of every device: the connector does not look at it
	public string            // the same, as it stands in the request
	old    parts             // of the sample
	csrs   map[string]csr    // by identifier; making one takes longer than the whole request
}

// csr is a certificate signing request as it stands in the webhook request.
type csr struct{ raw, subject string }

// parts are what differs from one request to the next.
type parts struct {
	Timestamp       string `json:"timestamp"`
	AttestationData struct {
		PermanentIdentifier string `json:"permanentIdentifier"`
	} `json:"attestationData"`
	Request struct {
		RawSubject string `json:"rawSubject"`
		PublicKey  string `json:"publicKey"`
		Raw        string `json:"raw"`
	} `json:"x509CertificateRequest"`
}

func newCaller(secret []byte) (*caller, error) {
	c := &caller{secret: secret, csrs: map[string]csr{}}
	if err := json.Unmarshal(sample, &c.old); err != nil {
		return nil, fmt.Errorf("read sample: %w", err)
	}
	var err error
	if c.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&c.key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode device key: %w", err)
	}
	c.public = base64.StdEncoding.EncodeToString(public)
	return c, nil
}

// call is one request, ready to be sent, and the answer it must get.
type call struct {
	body    []byte
	header  http.Header
	wire    []byte // the whole request as HTTP/1.1 has it
	closing bool   // the server is to close the connection
	want    string
}

// kind says how requests are to be sent.
type kind struct{ closing bool }

// call makes the request for a device. Its timestamp is that of now.
func (c *caller) call(ctx context.Context, address string, d device, now time.Time, k kind) (call, error) {
	body, err := c.body(d.identifier(), now)
	if err != nil {
		return call{}, err
	}
	made := call{body: body, header: c.header(body), closing: k.closing, want: allowing(d.data())}
	request, err := made.request(ctx, address)
	if err != nil {
		return call{}, err
	}
	var wire bytes.Buffer
	if err := request.Write(&wire); err != nil {
		return call{}, fmt.Errorf("encode request: %w", err)
	}
	made.wire = wire.Bytes()
	return made, nil
}

// header is what step-ca sends along.
func (c *caller) header(body []byte) http.Header {
	header := http.Header{}
	header.Set("Accept-Encoding", "gzip")
	header.Set("User-Agent", "Go-http-client/1.1")
	header.Set("X-Request-Id", rand.Text())
	header.Set("X-Smallstep-Webhook-Id", webhookID)
	header.Set("X-Smallstep-Signature", hex.EncodeToString(sign(c.secret, body)))
	return header
}

// request is the call for a http.Transport.
func (c call) request(ctx context.Context, address string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+attestPath, bytes.NewReader(c.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header, request.Close = c.header, c.closing
	return request, nil
}

// check holds an answer to what the inventory says.
func (c call) check(response *http.Response) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	switch {
	case err != nil:
		return fmt.Errorf("receive: %w", err)
	case response.StatusCode != http.StatusOK || !same(body, []byte(c.want)):
		return fmt.Errorf("wrong answer: %d %s, want 200 %s", response.StatusCode, body, c.want)
	}
	return nil
}

// same compares two JSON texts by value.
func same(got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	var g, w any
	return json.Unmarshal(got, &g) == nil && json.Unmarshal(want, &w) == nil && reflect.DeepEqual(g, w)
}

// body is the sample with another identifier, CSR and timestamp.
func (c *caller) body(identifier string, now time.Time) ([]byte, error) {
	request, err := c.csr(identifier)
	if err != nil {
		return nil, err
	}
	old := c.old.AttestationData.PermanentIdentifier
	changed := strings.NewReplacer(
		c.old.Timestamp, now.Format(time.RFC3339Nano),
		old, identifier,
		strings.ToLower(old), strings.ToLower(identifier),
		c.old.Request.RawSubject, request.subject,
		c.old.Request.PublicKey, c.public,
		c.old.Request.Raw, request.raw,
	)
	return []byte(changed.Replace(string(sample))), nil
}

// csr makes the CSR of a device, whose common name is the identifier.
func (c *caller) csr(identifier string) (csr, error) {
	if made, ok := c.csrs[identifier]; ok {
		return made, nil
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: identifier}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, c.key)
	if err != nil {
		return csr{}, fmt.Errorf("make CSR: %w", err)
	}
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return csr{}, fmt.Errorf("parse CSR: %w", err)
	}
	made := csr{base64.StdEncoding.EncodeToString(der), base64.StdEncoding.EncodeToString(parsed.RawSubject)}
	c.csrs[identifier] = made
	return made, nil
}

// allowing is the answer that carries data.
func allowing(data string) string { return `{"allow":true,"data":` + data + `}` }

func sign(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return mac.Sum(nil)
}

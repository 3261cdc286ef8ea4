package program

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// How an answer begins.
const (
	Allowed  = `{"allow":true,`
	NotFound = `{"allow":false,"error":{"code":"deviceNotFound",`
)

// StepCA calls the daemon as step-ca does.
type StepCA struct {
	Client *http.Client
	ID     string
	Key    []byte

	address string
}

// NewStepCA makes a client that trusts the CA of p, with a client certificate if one is given.
func NewStepCA(t *testing.T, p *PKI, address string, certificate *tls.Certificate) *StepCA {
	t.Helper()
	config := &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &StepCA{&http.Client{Transport: transport, Timeout: Patience}, WebhookID, key(t), address}
}

func key(t *testing.T) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(WebhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// WebhookBody is the body of an AUTHORIZING request about a device, as step-ca sends it.
func WebhookBody(identifier string) []byte {
	return fmt.Appendf(nil, `{"timestamp":%q,"attestationData":{"permanentIdentifier":%q},"x509Certificate":{"subject":{"commonName":%q},"raw":null}}`,
		time.Now().Format(time.RFC3339Nano), identifier, identifier)
}

// SignedRequest is a request about a device, and its body.
func SignedRequest(t *testing.T, address, identifier string) (r *http.Request, body []byte) {
	t.Helper()
	body = WebhookBody(identifier)
	return (&StepCA{ID: WebhookID, Key: key(t), address: address}).request(t, "", body), body
}

// Send signs a body and posts it. An error means that there was no answer.
func (s *StepCA) Send(t *testing.T, body []byte) (status int, text string, err error) {
	t.Helper()
	return s.do(s.request(t, "", body))
}

// SendAs is Send with a request ID.
func (s *StepCA) SendAs(t *testing.T, body []byte, requestID string) (status int, text string, err error) {
	t.Helper()
	request := s.request(t, "", body)
	request.Header.Set("X-Request-Id", requestID)
	return s.do(request)
}

// SendMode asks about a device of a kind.
func (s *StepCA) SendMode(t *testing.T, serial, mode string) (status int, text string, err error) {
	t.Helper()
	return s.do(s.request(t, "?mode="+mode, WebhookBody(serial)))
}

// SendTo is Send to the path of another kind of webhook.
func (s *StepCA) SendTo(t *testing.T, path string, body []byte) (status int, text string, err error) {
	t.Helper()
	request := s.request(t, "", body)
	request.URL.Path = path
	return s.do(request)
}

func (s *StepCA) request(t *testing.T, query string, body []byte) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address+"/webhook/device-attest"+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, s.Key)
	mac.Write(body)
	request.Header.Set("X-Smallstep-Webhook-ID", s.ID)
	request.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	return request
}

func (s *StepCA) do(request *http.Request) (status int, text string, err error) {
	response, err := s.Client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// WantAllow asks about a device and wants it to be allowed, with this data.
func (s *StepCA) WantAllow(t *testing.T, identifier, data string) {
	t.Helper()
	status, text, err := s.Send(t, WebhookBody(identifier))
	if want := `{"allow":true,"data":` + data + `}`; err != nil || status != http.StatusOK || text != want {
		t.Errorf("got %d %s (%v), want 200 %s", status, text, err, want)
	}
}

// WantDecision asks about a device and wants an answer that begins with Allowed or NotFound.
func (s *StepCA) WantDecision(t *testing.T, what, identifier, want string) {
	t.Helper()
	status, text, err := s.Send(t, WebhookBody(identifier))
	if err != nil || status != http.StatusOK || !strings.HasPrefix(text, want) {
		t.Errorf("%s: %s got %d %s (%v), want 200 %s…", what, identifier, status, text, err, want)
	}
}

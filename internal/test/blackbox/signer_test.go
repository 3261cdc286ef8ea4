package blackbox_test

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
	"testing"
	"time"
)

// signer calls the daemon as step-ca does.
type signer struct {
	address string
	client  *http.Client
	id      string
	key     []byte
}

func newSigner(t *testing.T, p *pki, address string, certificate *tls.Certificate) *signer {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &signer{address, &http.Client{Transport: transport, Timeout: patience}, testID, key}
}

// order is the body of a webhook call about a device, as step-ca sends it in AUTHORIZING.
func order(identifier string) []byte {
	return fmt.Appendf(nil, `{"timestamp":%q,"attestationData":{"permanentIdentifier":%q},"x509Certificate":{"subject":{"commonName":%q},"raw":null}}`,
		time.Now().Format(time.RFC3339Nano), identifier, identifier)
}

// send signs a body and posts it; an error is one of the connection.
func (s *signer) send(t *testing.T, body []byte) (status int, text string, err error) {
	t.Helper()
	return s.sendAs(t, body, "")
}

// sendAs is send with a request ID.
func (s *signer) sendAs(t *testing.T, body []byte, requestID string) (status int, text string, err error) {
	t.Helper()
	return s.post(t, "/webhook/device-attest", body, requestID)
}

// sendMode is send about a device of a type.
func (s *signer) sendMode(t *testing.T, serial, mode string) (status int, text string, err error) {
	t.Helper()
	return s.post(t, "/webhook/device-attest?mode="+mode, order(serial), "")
}

func (s *signer) post(t *testing.T, path string, body []byte, requestID string) (status int, text string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, s.key)
	mac.Write(body)
	if requestID != "" {
		request.Header.Set("X-Request-Id", requestID)
	}
	request.Header.Set("X-Smallstep-Webhook-ID", s.id)
	request.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	response, err := s.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// wantAllow sends an order and checks that it is allowed.
func (s *signer) wantAllow(t *testing.T, identifier, data string) {
	t.Helper()
	status, text, err := s.send(t, order(identifier))
	if want := `{"allow":true,"data":` + data + `}`; err != nil || status != http.StatusOK || text != want {
		t.Errorf("got %d %s (%v), want 200 %s", status, text, err, want)
	}
}

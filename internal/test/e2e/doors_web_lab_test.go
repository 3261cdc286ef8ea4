package e2e_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/webproxy"
)

// webServer is a kind of web server, and what differs between them.
type webServer struct {
	start func(context.Context, webproxy.Config) (*webproxy.Proxy, error)
	// method of the question.
	method string
	// anyBelowRoot: certificates of every CA below the root reach the connector.
	anyBelowRoot bool
	// allHeaders: the client's headers with any name that begins with X-Device- are removed.
	allHeaders bool
	// dropped is how often at most the connector is asked when it ends the connection before the headers of its answer end:
	// some ask again where they had used that connection before.
	dropped int
	// patient: an answer whose headers come one byte after the other is awaited without an end.
	patient bool
}

func webServers() map[string]webServer {
	return map[string]webServer{
		"nginx":   {webproxy.StartNginx, http.MethodHead, true, false, 2, true},
		"Caddy":   {webproxy.StartCaddy, http.MethodGet, false, true, 2, false},
		"HAProxy": {webproxy.StartHAProxy, http.MethodHead, true, true, 1, false},
	}
}

// deviceHeaders are what the connector answers about a device.
func deviceHeaders() map[string]string {
	return map[string]string{
		"X-Device-Id": knownSerial, "X-Device-Name": "Ada's Mac", "X-Device-User": "ada", "X-Device-Groups": "Finance,Macs",
	}
}

// webLab is a web server in front of an application, and a stub in place of the connector.
type webLab struct {
	*doorLab
	webServer
	application *webproxy.Application
	proxy       *webproxy.Proxy
}

func newWebLab(t *testing.T, kind webServer) *webLab {
	t.Helper()
	l := &webLab{doorLab: newDoorLab(t), webServer: kind}
	l.server = l.issueServer(t, l.pki.Root, "site", webproxy.Name)
	l.stub.Answer(l.answer)
	var err error
	if l.application, err = webproxy.StartApplication(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.application.Stop(); err != nil {
			t.Errorf("stop the application: %v", err)
		}
	})
	l.proxy, err = l.start(context.WithoutCancel(t.Context()), webproxy.Config{
		Files: doorFiles, Certificate: l.server, Root: l.pki.Root.File, DeviceIssuer: l.pki.Issuer.File,
		Connector: l.stub.Address(), ConnectorName: "localhost", CA: l.pki.Root.File, Caller: l.caller,
		Application: l.application.Address(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server printed:\n%s", l.proxy.Log())
		}
		if err := l.proxy.Stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	return l
}

// answer is what the connector answers: it checks the issuer of the certificate in the question, and knows one device.
func (l *webLab) answer(response http.ResponseWriter, question doors.Question) {
	leaf, err := questioned(question)
	if err != nil || leaf.CheckSignatureFrom(l.pki.Issuer.Certificate) != nil || leaf.Subject.CommonName != knownSerial {
		doors.JSON(http.StatusForbidden, `{"allow":false,"error":{"code":"deviceNotFound","message":"Not ours (ref 1234)"}}`)(response, question)
		return
	}
	doors.Headers(http.StatusOK, deviceHeaders(), `{"allow":true}`)(response, question)
}

// questioned is the certificate in a question: base64 of its DER, or its PEM, percent-encoded.
func questioned(question doors.Question) (*x509.Certificate, error) {
	values := question.Header.Values("X-Client-Cert")
	if len(values) != 1 {
		return nil, fmt.Errorf("the question has %d certificates", len(values))
	}
	text, err := url.PathUnescape(values[0])
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return x509.ParseCertificate(block.Bytes)
	}
	der, err := base64.StdEncoding.DecodeString(values[0])
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// page is what a client of the web server sees.
type page struct {
	status int
	text   string
	header http.Header
	// resumed: the TLS session was resumed.
	resumed bool
}

// visit sends one request over a connection of its own. A server that ends the handshake gives the error.
func (l *webLab) visit(t *testing.T, device *doors.Credential, method, path string, header http.Header, body string) (page, error) {
	t.Helper()
	client, err := l.proxy.Client(device)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	return l.send(t, client, method, path, header, body)
}

func (l *webLab) send(t *testing.T, client *http.Client, method, path string, header http.Header, body string) (page, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, l.proxy.URL(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := client.Do(request)
	if err != nil {
		return page{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return page{response.StatusCode, string(text), response.Header, response.TLS.DidResume}, err
}

// wantPage is a request of the known device that reaches the application, and returns it.
func (l *webLab) wantPage(t *testing.T, method, path string, header http.Header, body string) webproxy.Request {
	t.Helper()
	got, err := l.visit(t, &l.device, method, path, header, body)
	if err != nil {
		t.Fatal(err)
	}
	requests := l.application.Requests()
	if len(requests) != 1 {
		t.Fatalf("%s %s: status %d %q, and the application was asked %d times, want once", method, path, got.status, got.text, len(requests))
	}
	return requests[0]
}

// wantNothing is a request that must not reach the application, and returns what the client sees.
func (l *webLab) wantNothing(t *testing.T, device *doors.Credential, what string) (page, error) {
	t.Helper()
	got, err := l.visit(t, device, http.MethodGet, "/", nil, "")
	if requests := l.application.Requests(); len(requests) != 0 {
		t.Errorf("%s: the application was reached", what)
	}
	if err == nil && (got.status < 400 || strings.Contains(got.text, webproxy.Page)) {
		t.Errorf("%s: status %d %q", what, got.status, got.text)
	}
	return got, err
}

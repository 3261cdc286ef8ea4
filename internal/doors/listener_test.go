package doors_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/server"
	"step-posture-connector/internal/test/testca"
)

// serve starts the real listener of DOOR_ADDRESS.
func (l *lab) serve(t *testing.T) {
	t.Helper()
	leaf, key := l.root.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "connector"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	identity := server.NewDoorTLS(server.Files{
		Certificate: l.write(t, "server.pem", testca.PEM("CERTIFICATE", leaf.Raw)), PrivateKey: l.write(t, "server.key", testca.PEM("PRIVATE KEY", encoded)),
		// Devices' certificates get past the handshake too, as with a CA for everything.
		ClientCA: l.write(t, "callers.pem", testca.Joined(l.callers.PEM(), l.root.PEM(), l.devices.PEM())),
	})
	apply, err := identity.Load(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	apply()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.address = listener.Addr().String()
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.New(l.counted(), identity, 200, io.Discard).Serve(ctx, listener) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil && !errors.Is(err, server.ErrUnfinished) {
			t.Error(err)
		}
	})
}

// counted is the handler, whose questions are counted when they arrive.
func (l *lab) counted() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.answered.Add(1)
		l.handler.ServeHTTP(w, r)
	})
}

// caller is the certificate of a caller with DNS names, and with a common name of its own.
func (l *lab) caller(t *testing.T, names ...string) *tls.Certificate {
	t.Helper()
	cert, key := l.callers.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "a caller"}, DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (l *lab) config(certificate *tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(l.root.Certificate)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1"}
}

// client is a caller that speaks HTTP/1.1, or HTTP/2.
func (l *lab) client(t *testing.T, certificate *tls.Certificate, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: l.config(certificate), ForceAttemptHTTP2: http2, DisableCompression: true, MaxConnsPerHost: 0}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// response is an answer that was read.
type response struct {
	status int
	header http.Header
	body   string
	major  int
}

func do(t *testing.T, client *http.Client, r *http.Request) response {
	t.Helper()
	got, err := try(client, r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func try(client *http.Client, r *http.Request) (response, error) {
	answer, err := client.Do(r)
	if err != nil {
		return response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return response{}, err
	}
	return response{answer.StatusCode, answer.Header, string(body), answer.ProtoMajor}, nil
}

// request is a question. Header lines are "Name: value".
func (l *lab) request(t *testing.T, method, target string, body io.Reader, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+l.address+target, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], value)
	}
	return r
}

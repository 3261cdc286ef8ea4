package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	patience = 30 * time.Second // for anything that must happen; far more than it needs
	brief    = 2 * time.Second  // in place of the real time limits
)

// testServer is a Server under test, with what a client needs.
type testServer struct {
	address  string
	client   *tls.Config
	listener *countingListener
	end      context.CancelFunc
	ended    chan error
}

type option func(*Server)

func withLimit(limit int) option { return func(s *Server) { s.limiter.limit = limit } }

// withBriefLimits shortens the time limits of the Server. It adds none that is missing.
func withBriefLimits(s *Server) {
	for _, limit := range []*time.Duration{
		&s.http.ReadHeaderTimeout, &s.http.ReadTimeout, &s.http.WriteTimeout, &s.limiter.idle, &s.http.HTTP2.WriteByteTimeout,
	} {
		*limit = min(*limit, brief)
	}
}

func startServer(t *testing.T, handler http.Handler, options ...option) *testServer {
	t.Helper()
	pair, roots := selfSigned(t)
	s := startServerWith(t, fixed(pair), handler, options...)
	s.client = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return s
}

func startServerWith(t *testing.T, identity *TLS, handler http.Handler, options ...option) *testServer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(handler, identity, 100, io.Discard)
	for _, option := range options {
		option(s)
	}
	// Not the test's own context, which is done before the cleanup.
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	started := &testServer{
		address:  listener.Addr().String(),
		listener: &countingListener{Listener: listener},
		end:      end,
		ended:    make(chan error, 1),
	}
	go func() { started.ended <- s.Serve(ctx, started.listener); close(started.ended) }()
	t.Cleanup(func() {
		end()
		_ = s.http.Close()
		for range started.ended { // until it is closed
			continue
		}
	})
	return started
}

// fixed is a TLS that was not loaded from files.
func fixed(certificate *tls.Certificate) *TLS {
	t := &TLS{}
	t.current.Store(newIdentity(&pair{Certificate: certificate}, &admission{}, nil))
	return t
}

func selfSigned(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

// answering answers every request at once and reads no body.
func answering() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answer") })
}

// stop shuts the server down, and wants every request answered.
func (s *testServer) stop(t *testing.T) {
	t.Helper()
	s.end()
	if err := wait(t, "shutdown", s.ended); err != nil {
		t.Errorf("Serve() = %v, want nil", err)
	}
}

func (s *testServer) dialRaw(t *testing.T) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// dial makes a connection with a finished handshake.
func (s *testServer) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	config := s.client.Clone()
	config.ServerName, config.NextProtos = "127.0.0.1", []string{protocol}
	c := tls.Client(s.dialRaw(t), config)
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *testServer) get(ctx context.Context, protocol, path string) error {
	return s.do(ctx, protocol, http.MethodGet, path, http.NoBody)
}

func (s *testServer) post(ctx context.Context, protocol, path string, body io.Reader) error {
	return s.do(ctx, protocol, http.MethodPost, path, body)
}

// keepAlive is a client that keeps its connections, until done.
func (s *testServer) keepAlive(protocol string) (client *http.Client, done func()) {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(protocol == "http/1.1")
	protocols.SetHTTP2(protocol == "h2")
	transport := &http.Transport{TLSClientConfig: s.client.Clone(), Protocols: protocols}
	return &http.Client{Transport: transport, Timeout: patience}, transport.CloseIdleConnections
}

// do makes one request on a connection of its own.
func (s *testServer) do(ctx context.Context, protocol, method, path string, body io.Reader) error {
	client, done := s.keepAlive(protocol)
	defer done()
	return s.doWith(ctx, client, method, path, body)
}

func (s *testServer) wantAnswer(t *testing.T, client *http.Client) {
	t.Helper()
	if err := s.doWith(t.Context(), client, http.MethodGet, "/", http.NoBody); err != nil {
		t.Error(err)
	}
}

func (s *testServer) doWith(ctx context.Context, client *http.Client, method, path string, body io.Reader) error {
	r, err := http.NewRequestWithContext(ctx, method, "https://"+s.address+path, body)
	if err != nil {
		return err
	}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || string(text) != "answer") {
		err = fmt.Errorf("got %s %s, want 200 answer", response.Status, text)
	}
	return err
}

func (s *testServer) wantAnswered(t *testing.T, protocol string) {
	t.Helper()
	if err := s.get(t.Context(), protocol, "/"); err != nil {
		t.Errorf("an honest request with %s: %v", protocol, err)
	}
}

// wantClosed wants the server to close a connection in time; it ignores what the server still sends.
func wantClosed(t *testing.T, c net.Conn, deadline time.Time) {
	t.Helper()
	// A connection that is still open must not use up the time of the ones after it.
	if least := time.Now().Add(time.Second); deadline.Before(least) {
		deadline = least
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads the next bytes.
func receive(t *testing.T, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := c.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func wait[T any](t *testing.T, what string, channel <-chan T) T {
	t.Helper()
	select {
	case value := <-channel:
		return value
	case <-time.After(patience):
		t.Fatalf("nothing happened for %s: %s", patience, what)
		panic("not reached")
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("nothing happened for %s: %s\n%s", patience, what, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
}

// countingListener counts its open connections.
type countingListener struct {
	net.Listener
	open, most, accepted atomic.Int32
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.accepted.Add(1)
	open := l.open.Add(1)
	for most := l.most.Load(); open > most && !l.most.CompareAndSwap(most, open); most = l.most.Load() {
		continue
	}
	return &countedConnection{Conn: c, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

type countedConnection struct {
	net.Conn
	closed func()
}

func (c *countedConnection) Close() error {
	c.closed()
	return c.Conn.Close()
}

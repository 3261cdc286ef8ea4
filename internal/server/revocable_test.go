package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// revocable is a server with a list, and what a client needs.
type revocable struct {
	*testServer

	server   *Server
	identity *TLS
	files    Files
	root     *testca.CA
	number   int64
	mu       sync.Mutex
	notices  []string
}

func startRevocable(t *testing.T, handler http.Handler) *revocable {
	t.Helper()
	r := &revocable{root: testca.New(t, "Root"), files: files(t)}
	r.files.Revocations = r.files.ClientCA + ".crl"
	r.files.pair(t, r.root, time.Time{})
	r.files.trust(t, r.root)
	r.identity = NewTLS(r.files, nil)
	r.revoke(t)
	r.testServer = startServerWith(t, r.identity, handler, func(s *Server) {
		r.server = s
		s.Notify(func(line string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notices = append(r.notices, line)
		})
	})
	return r
}

// revoke puts a new list of the root into effect.
func (r *revocable) revoke(t *testing.T, revoked ...*tls.Certificate) {
	t.Helper()
	r.number++
	var serials []*big.Int
	for _, c := range revoked {
		serials = append(serials, leafOf(t, c).SerialNumber)
	}
	r.files.revoke(t, testca.ListPEM(r.root.List(t, r.number, nil, serials...)))
	load(t, r.identity)
}

func leafOf(t *testing.T, c *tls.Certificate) *x509.Certificate {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// as makes a client that keeps its connection.
func (r *revocable) as(t *testing.T, protocol string, certificate *tls.Certificate, change func(*tls.Config)) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(r.root.Certificate)
	// A copy of the server for each client: they run at the same time.
	s := *r.testServer
	s.client = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*certificate}}
	if change != nil {
		change(s.client)
	}
	client, done := s.keepAlive(protocol)
	t.Cleanup(done)
	return client
}

func (r *revocable) status(t *testing.T, client *http.Client) (int, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.address+"/", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func (r *revocable) wantStatus(t *testing.T, what string, client *http.Client, want int) {
	t.Helper()
	if got, err := r.status(t, client); err != nil || got != want {
		t.Errorf("%s: status %d, error %v; want %d", what, got, err, want)
	}
}

func (r *revocable) wantNotice(t *testing.T, parts ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("a notice with %q", parts), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.notices, func(line string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
		})
	})
}

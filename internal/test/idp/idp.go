// Package idp is an OpenID provider for tests: a small one that is strict with its clients, and that answers wrongly in the way
// that a test plants. It listens on the loopback interface, with a certificate of a CA of tests.
//
// https://openid.net/specs/openid-connect-core-1_0.html, https://openid.net/specs/openid-connect-discovery-1_0.html
package idp

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// The paths of the provider below its issuer.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/keys"
	AuthorizePath = "/authorize"
	TokenPath     = "/token"
)

// User is a person who may log in.
type User struct {
	Name     string
	Password string
	// Groups are what the claim "groups" of the ID token has.
	Groups []string
}

// Provider is a running OpenID provider.
type Provider struct {
	// Issuer is its URL, without a slash at the end.
	Issuer string
	// ClientID and ClientSecret are those of its one client.
	ClientID, ClientSecret string

	server  *httptest.Server
	stopped chan struct{}

	mu        sync.Mutex
	users     map[string]User
	redirects map[string]bool
	codes     map[string]grant
	keys      keys
	algorithm string
	claim     string
	auto      string
	fault     Fault
	asked     map[string]int
}

// Start runs a provider until the end of the test. It has no users, and its client may come back to no address yet.
func Start(t testing.TB, ca *testca.CA) *Provider {
	t.Helper()
	leaf, key := ca.Issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "idp"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	p := &Provider{
		ClientID: "step-posture-connector", ClientSecret: rand.Text(), stopped: make(chan struct{}),
		users: map[string]User{}, redirects: map[string]bool{}, codes: map[string]grant{}, asked: map[string]int{},
		algorithm: "RS256", claim: "groups", keys: newKeys(t, "key-1"),
	}
	p.server = httptest.NewUnstartedServer(p.handler())
	p.server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	// Clients that do not trust the certificate, and those that give up, are what tests try.
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.Config.ReadHeaderTimeout = 10 * time.Second
	p.server.StartTLS()
	p.Issuer = strings.Replace(p.server.URL, "127.0.0.1", "localhost", 1)
	t.Cleanup(func() {
		close(p.stopped)
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// Certificate is what the provider presents.
func (p *Provider) Certificate() *x509.Certificate { return p.server.Certificate() }

// SetUser adds a person, or changes one.
func (p *Provider) SetUser(u User) { p.change(func() { p.users[u.Name] = u }) }

// RemoveUser removes a person.
func (p *Provider) RemoveUser(name string) { p.change(func() { delete(p.users, name) }) }

// SetRedirects registers the addresses to which the client may come back, and no others.
func (p *Provider) SetRedirects(urls ...string) {
	p.change(func() {
		clear(p.redirects)
		for _, url := range urls {
			p.redirects[url] = true
		}
	})
}

// SetAlgorithm chooses how ID tokens are signed: RS256, which is the default, or ES256.
func (p *Provider) SetAlgorithm(name string) { p.change(func() { p.algorithm = name }) }

// SetGroupsClaim renames the claim that has the groups.
func (p *Provider) SetGroupsClaim(name string) { p.change(func() { p.claim = name }) }

// LogInAs logs this person in at once, without the page for it, as a provider does that has a session. The empty name ends that.
func (p *Provider) LogInAs(name string) { p.change(func() { p.auto = name }) }

// Plant makes the provider answer wrongly from now on; None repairs it.
func (p *Provider) Plant(f Fault) { p.change(func() { p.fault = f }) }

// RotateKeys signs with new keys from now on. The keys before are gone.
func (p *Provider) RotateKeys(t testing.TB) {
	t.Helper()
	made := newKeys(t, "key-"+rand.Text())
	p.change(func() { p.keys = made })
}

// Asked is how many requests have asked for a path.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

func (p *Provider) change(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
}

// has reports whether a fault is planted.
func (p *Provider) has(f Fault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault == f
}

func (p *Provider) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+DiscoveryPath, p.discover)
	mux.HandleFunc("GET "+KeysPath, p.showKeys)
	mux.HandleFunc("GET "+AuthorizePath, p.authorize)
	mux.HandleFunc("POST "+AuthorizePath, p.logIn)
	mux.HandleFunc("POST "+TokenPath, p.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.change(func() { p.asked[r.URL.Path]++ })
		// No test sends more.
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		mux.ServeHTTP(w, r)
	})
}

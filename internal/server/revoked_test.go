package server

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// A client that is revoked is answered 401 with its next request on an open connection, which ends; the next handshake
// fails, in each version of TLS, and nobody else is disturbed.
func TestRevokedClient(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			r := startRevocable(t, answering())
			bad, good := r.root.Client(t), r.root.Client(t)
			revoked, other := r.as(t, protocol, bad, nil), r.as(t, protocol, good, nil)
			for range 2 {
				r.wantStatus(t, "before it is revoked", revoked, http.StatusOK)
				r.wantStatus(t, "another client", other, http.StatusOK)
			}
			r.revoke(t, bad)
			accepted := r.listener.accepted.Load()
			r.wantStatus(t, "on its open connection", revoked, http.StatusUnauthorized)
			r.wantStatus(t, "another client on its open connection", other, http.StatusOK)
			if got := r.listener.accepted.Load(); got != accepted {
				t.Errorf("%d connections were made: these were not the open ones", got-accepted)
			}
			eventually(t, "its connection is closed", func() bool { return r.server.Connections() == 1 })
			if got, err := r.status(t, revoked); err == nil {
				t.Errorf("a new connection is answered %d", got)
			}
			old := r.as(t, protocol, bad, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })
			if got, err := r.status(t, old); err == nil {
				t.Errorf("a new connection with TLS 1.2 is answered %d", got)
			}
			if got := r.server.RevokedRequests(); got != 1 {
				t.Errorf("%d requests were refused on open connections, want 1", got)
			}
			eventually(t, "the handshakes are counted", func() bool { return r.server.FailedHandshakes(revokedCertificate) == 2 })
			r.wantNotice(t, "a request on an open connection was refused (401)", "it is revoked: its serial number "+leafOf(t, bad).SerialNumber.String()+` is on the list of "Root" in TLS_CRL_PATH, CRL number 2`,
				"if it is step-ca's own, every order fails until step-ca is restarted", "X5C provisioner", "; from 127.0.0.1:")

			r.revoke(t, good) // and not bad: a list may take an entry back
			r.wantStatus(t, "no longer revoked", r.as(t, protocol, bad, nil), http.StatusOK)
		})
	}
}

// A client whose intermediate CA is revoked is turned away, whoever that CA issued certificates to.
func TestRevokedIntermediate(t *testing.T) {
	t.Parallel()
	r := startRevocable(t, answering())
	between := r.root.Intermediate(t, "Between", nil)
	certificate := between.Client(t)
	certificate.Certificate = append(certificate.Certificate, between.Certificate.Raw)
	client := r.as(t, "h2", certificate, nil)
	r.wantStatus(t, "before it is revoked", client, http.StatusOK)
	r.revoke(t, &tls.Certificate{Certificate: [][]byte{between.Certificate.Raw}})
	r.wantStatus(t, "on an open connection", client, http.StatusUnauthorized)
	r.wantNotice(t, `a CA certificate of its chain, "Between", is revoked`)
	if got, err := r.status(t, r.as(t, "h2", certificate, nil)); err == nil {
		t.Errorf("a new connection is answered %d", got)
	}
}

// Serial numbers count for their issuer only.
func TestSerialOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	r := startRevocable(t, answering())
	other := testca.New(t, "Other")
	r.files.trust(t, r.root, other)
	certificate := other.Client(t)
	r.revoke(t, certificate) // on the list of the root
	r.wantStatus(t, "a client of another CA", r.as(t, "h2", certificate, nil), http.StatusOK)
	r.files.revoke(t, testca.ListPEM(r.root.List(t, 9, nil)), testca.ListPEM(other.List(t, 1, nil, new(big.Int).Neg(leafOf(t, certificate).SerialNumber))))
	load(t, r.identity)
	r.wantStatus(t, "its serial number below zero is revoked", r.as(t, "h2", certificate, nil), http.StatusOK)
	r.files.revoke(t, testca.ListPEM(r.root.List(t, 9, nil)), testca.ListPEM(other.List(t, 2, nil, leafOf(t, certificate).SerialNumber)))
	load(t, r.identity)
	if got, err := r.status(t, r.as(t, "h2", certificate, nil)); err == nil {
		t.Errorf("on the list of its own CA: it is answered %d", got)
	}
}

// A TLS session cannot be resumed: the handshake of a revoked client would be skipped.
func TestNoResumption(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			r := startRevocable(t, answering())
			certificate, cache := r.root.Client(t), &sessions{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
			use := func(c *tls.Config) {
				c.ClientSessionCache, c.MaxVersion, c.SessionTicketsDisabled = cache, version, false
			}
			r.wantStatus(t, "first", r.as(t, "http/1.1", certificate, use), http.StatusOK)
			r.wantStatus(t, "second", r.as(t, "http/1.1", certificate, use), http.StatusOK)
			if cache.put {
				t.Error("the server has given a ticket for a session")
			}
			r.revoke(t, certificate)
			if got, err := r.status(t, r.as(t, "http/1.1", certificate, use)); err == nil {
				t.Errorf("a revoked client with a session is answered %d", got)
			}
		})
	}
}

// sessions notes whether a ticket was given.
type sessions struct {
	tls.ClientSessionCache

	put bool
}

func (s *sessions) Put(key string, state *tls.ClientSessionState) {
	if state != nil {
		s.put = true
	}
	s.ClientSessionCache.Put(key, state)
}

// Many requests at once on one connection: those that began before the client was revoked are answered, none after.
func TestRevokedUnderStreams(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, maxStreams), make(chan struct{})
	r := startRevocable(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "answer")
	}))
	certificate := r.root.Client(t)
	client := r.as(t, "h2", certificate, nil)
	const half = maxStreams / 2
	results := make(chan int, maxStreams)
	ask := func() {
		status, _ := r.status(t, client)
		results <- status
	}
	go ask() // makes the connection
	wait(t, "the first request", arrived)
	for range half - 1 {
		go ask()
		wait(t, "a request", arrived)
	}
	r.revoke(t, certificate)
	for range half {
		go ask()
	}
	for range half {
		// A request may find the connection ending, and the handshake of another one fails: 0.
		if status := wait(t, "a request of the revoked client", results); status != http.StatusUnauthorized && status != 0 {
			t.Errorf("status %d of a revoked client, want 401 or no connection", status)
		}
	}
	if r.server.RevokedRequests() == 0 {
		t.Error("no request was refused on the open connection")
	}
	close(release)
	for range half {
		if status := wait(t, "a request from before", results); status != http.StatusOK {
			t.Errorf("a request that began before is answered %d, want 200", status)
		}
	}
	eventually(t, "the connection is closed", func() bool { return r.server.Connections() == 0 })
}

// On HTTP/1.1 the answer comes before the connection ends, also with a body that never does.
func TestRevokedWithoutBody(t *testing.T) {
	t.Parallel()
	r := startRevocable(t, answering())
	certificate := r.root.Client(t)
	roots := x509.NewCertPool()
	roots.AddCert(r.root.Certificate)
	c := tls.Client(r.dialRaw(t), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*certificate}})
	if err := talk(c); err != nil {
		t.Fatal(err)
	}
	r.revoke(t, certificate)
	send(t, c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized || !response.Close {
		t.Errorf("status %d, closes %v; want 401 and an end", response.StatusCode, response.Close)
	}
	wantClosed(t, c, time.Now().Add(patience))
}

// Each revoked caller has a line a minute, and so many callers at most that nobody can fill the memory or the log.
func TestRevokedNotices(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 10*maxRevoked)
	n := &notices{notify: func(line string) { lines <- line }}
	say := func(serial int) {
		leaf := &x509.Certificate{Raw: big.NewInt(int64(serial)).Bytes(), Subject: pkix.Name{CommonName: fmt.Sprint("caller ", serial)}}
		n.sayRevoked(&clientError{revokedCertificate, leaf, clientRefused + "it is revoked"}, "refused: ", address("1.2.3.4:5"))
	}
	for range 3 {
		for serial := 1; serial <= 3*maxRevoked; serial++ {
			say(serial)
		}
	}
	got := 0
	for range maxRevoked + 1 {
		wait(t, "a line", lines)
		got++
	}
	select {
	case line := <-lines:
		t.Errorf("%d lines, and %q; want one for each of %d callers, and one for all others", got, line, maxRevoked)
	case <-time.After(50 * time.Millisecond):
	}
	n.mu.Lock()
	if len(n.kinds) > maxRevoked+1 {
		t.Errorf("%d kinds are kept", len(n.kinds))
	}
	for _, last := range n.kinds {
		last.given = last.given.Add(-noticeEvery) // a minute has passed
	}
	n.mu.Unlock()
	eventually(t, "a line of a new caller, in the place of an old one", func() bool {
		say(1000)
		select {
		case line := <-lines:
			return strings.Contains(line, "caller 1000")
		default:
			return false
		}
	})
}

// address is where a client comes from.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

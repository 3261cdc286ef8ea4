package server

import (
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"step-posture-connector/internal/authority"
	"step-posture-connector/internal/test/testca"
)

// Without a reload, a request costs nothing more with a list than without one: it is not looked at. It is not parallel,
// because testing.AllocsPerRun counts what other tests allocate.
func TestRevocationCost(t *testing.T) {
	for name, rules := range admissions(t) {
		c, listener, state := admitted(t, rules)
		if allocations := testing.AllocsPerRun(100, func() { _ = listener.admits(c, state) }); allocations != 0 {
			t.Errorf("%s: a request allocates %v objects before it is admitted", name, allocations)
		}
		if rules.revoked == nil {
			continue
		}
		if rules.wantNotRevoked(state.VerifiedChains) == nil {
			t.Errorf("%s: the client is not revoked, so that a look at the list would not be noticed", name)
		}
		if err := listener.admits(c, state); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// admissions are with and without a large list, which has the client of admitted.
func admissions(t testing.TB) map[string]*admission {
	t.Helper()
	const many = 100_000
	root, folder := testca.New(t, "Root"), t.TempDir()
	serials := make([]*big.Int, many)
	for i := range serials {
		serials[i] = big.NewInt(int64(i))
	}
	files := map[string][]byte{"ca.crt": root.PEM(), "ca.crl": root.List(t, 1, nil, serials...)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cas, err := authority.LoadAuthorities(authority.File{Path: filepath.Join(folder, "ca.crt")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	lists, err := authority.LoadRevocations(authority.File{Path: filepath.Join(folder, "ca.crl")}, cas, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*admission{"without a list": {clientCAs: cas}, "with a list": {clientCAs: cas, revoked: lists}}
}

// admitted is a connection that rules have admitted. Its client is on the list, if there is one.
func admitted(t testing.TB, rules *admission) (*connection, *TLS, *tls.ConnectionState) {
	t.Helper()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), RawIssuer: rules.clientCAs.All()[0].RawSubject}
	c, listener := &connection{}, &TLS{}
	listener.current.Store(&identity{rules: rules})
	c.admittedBy.Store(rules)
	return c, listener, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, leaf, leaf}}}
}

// BenchmarkRevocation is what a request on an open connection, and a handshake, cost of it.
func BenchmarkRevocation(b *testing.B) {
	for name, rules := range admissions(b) {
		c, listener, state := admitted(b, rules)
		b.Run("request "+name, func(b *testing.B) {
			for b.Loop() {
				_ = listener.admits(c, state)
			}
		})
		b.Run("handshake "+name, func(b *testing.B) {
			for b.Loop() {
				_ = rules.wantNotRevoked(state.VerifiedChains)
			}
		})
	}
}

package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

// Without a reload, a request costs nothing more with a list than without one: it is not looked at. It is not parallel,
// because testing.AllocsPerRun counts what other tests allocate.
func TestRevocationCost(t *testing.T) {
	for name, rules := range admissions(t) {
		c, listener, state := admitted(t, rules)
		if allocations := testing.AllocsPerRun(100, func() { _ = listener.admits(c, state) }); allocations != 0 {
			t.Errorf("%s: a request allocates %v objects before it is admitted", name, allocations)
		}
		broken := *rules
		broken.revoked = &revocations{byIssuer: nil, lists: []*revocationList{nil}} // to look at it would panic
		listener.current.Store(&identity{rules: &broken})
		c.admittedBy.Store(&broken)
		if err := listener.admits(c, state); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// admissions are with and without a large list.
func admissions(t testing.TB) map[string]*admission {
	t.Helper()
	const many = 100_000
	list := &revocationList{serials: make(map[string]struct{}, many)}
	for i := range many {
		list.serials[serialKey(big.NewInt(int64(i)))] = struct{}{}
	}
	cas := &authorities{pool: x509.NewCertPool()}
	lists := &revocations{}
	if err := lists.add(list); err != nil {
		t.Fatal(err)
	}
	return map[string]*admission{"without a list": {clientCAs: cas}, "with a list": {clientCAs: cas, revoked: lists}}
}

// admitted is a connection that rules have admitted.
func admitted(t testing.TB, rules *admission) (*connection, *TLS, *tls.ConnectionState) {
	t.Helper()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(-1)}
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

// BenchmarkLoadRevocations loads a list of 100,000 certificates with serial numbers as step-ca makes them.
func BenchmarkLoadRevocations(b *testing.B) {
	const many = 100_000
	root := &authority{}
	root.certificate, root.key = benchmarkIssuer(b)
	serials := make([]*big.Int, many)
	for i := range serials {
		serials[i] = new(big.Int).Lsh(big.NewInt(int64(i+1)), 100)
	}
	text := listPEM(root.list(b, 1, nil, serials...))
	cas := &authorities{pool: x509.NewCertPool(), list: []*x509.Certificate{root.certificate}}
	cas.pool.AddCert(root.certificate)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readRevocations(text, cas, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkIssuer(b *testing.B) (*x509.Certificate, *ecdsa.PrivateKey) {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := issuerTemplate("Root")
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	return certificate, key
}

package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/authority"
	"step-posture-connector/internal/test/testca"
)

// files are the files of a TLS, in a folder of their own.
func files(t *testing.T) Files {
	t.Helper()
	folder := t.TempDir()
	return Files{filepath.Join(folder, "server.crt"), filepath.Join(folder, "server.key"), filepath.Join(folder, "ca.crt"), ""}
}

func (f Files) write(t *testing.T, path, kind string, blocks ...[]byte) {
	t.Helper()
	var text []byte
	for _, block := range blocks {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: block})...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair puts a server certificate of the authority in place, and returns its name.
func (f Files) pair(t *testing.T, a *testca.CA, notAfter time.Time) string {
	t.Helper()
	name := "server-" + rand.Text()
	certificate, key := a.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: notAfter})
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, f.Certificate, "CERTIFICATE", certificate.Raw)
	f.write(t, f.PrivateKey, "PRIVATE KEY", private)
	return name
}

func (f Files) trust(t *testing.T, authorities ...*testca.CA) {
	t.Helper()
	var blocks [][]byte
	for _, a := range authorities {
		blocks = append(blocks, a.Certificate.Raw)
	}
	f.write(t, f.ClientCA, "CERTIFICATE", blocks...)
}

// load loads the files, and wants faults in exactly these files.
func load(t *testing.T, identity *TLS, wrong ...authority.Role) {
	t.Helper()
	apply, err := identity.Load(time.Now())
	var got []authority.Role
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			got = append(got, roles(one)...)
		}
	}
	if len(got) != len(wrong) {
		t.Fatalf("Load() = %v, want errors in %q", err, wrong)
	}
	for i := range wrong {
		if got[i] != wrong[i] {
			t.Fatalf("Load() = %v, want errors in %q", err, wrong)
		}
	}
	if apply != nil {
		apply()
	}
}

func roles(err error) []authority.Role {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var found []authority.Role
		for _, one := range several.Unwrap() {
			found = append(found, roles(one)...)
		}
		return found
	}
	in := (*authority.FileError)(nil)
	if errors.As(err, &in) {
		return []authority.Role{in.Role}
	}
	return nil
}

// A valid pair or bundle takes effect at once; an invalid one does not, and does not stop the other.
func TestInEffect(t *testing.T) {
	t.Parallel()
	ca, other := testca.New(t, "ca"), testca.New(t, "other")
	f := files(t)
	first := f.pair(t, ca, time.Time{})
	f.trust(t, ca)
	identity := NewTLS(f, nil)
	load(t, identity)
	want := func(what, name string, a *testca.CA) {
		t.Helper()
		if got := identity.Leaf().Subject.CommonName; got != name {
			t.Errorf("%s: the certificate is %s, want %s", what, got, name)
		}
		pool := x509.NewCertPool()
		pool.AddCert(a.Certificate)
		if !identity.current.Load().config.ClientCAs.Equal(pool) {
			t.Errorf("%s: the CA is not %s", what, a.Certificate.Subject.CommonName)
		}
	}
	want("at first", first, ca)

	f.pair(t, ca, time.Now().Add(-time.Minute))
	load(t, identity, Certificate)
	want("the new pair has expired", first, ca)

	f.trust(t, other)
	load(t, identity, Certificate)
	want("the new pair has expired, the bundle is good", first, other)

	f.write(t, f.PrivateKey, "PRIVATE KEY")
	f.write(t, f.ClientCA, "CERTIFICATE")
	load(t, identity, Certificate, PrivateKey, ClientCA)
	want("all are broken", first, other)

	second := f.pair(t, ca, time.Time{})
	load(t, identity, ClientCA)
	want("the bundle is broken, the pair is good", second, other)

	f.trust(t, ca, other)
	encoded := func(a *testca.CA) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw})
	}
	if err := os.WriteFile(f.ClientCA, append(bytes.TrimSpace(encoded(ca)), encoded(other)...), 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, identity, ClientCA)
	want("the bundle has two lines in one", second, other)

	f.trust(t, ca)
	third := f.pair(t, ca, time.Time{})
	load(t, identity)
	want("all are good", third, ca)
}

// Nothing takes effect before all files were valid once.
func TestFirstLoad(t *testing.T) {
	t.Parallel()
	f := files(t)
	f.pair(t, testca.New(t, "ca"), time.Time{})
	apply, err := NewTLS(f, nil).Load(time.Now())
	if apply != nil || err == nil || !strings.Contains(err.Error(), "client CA bundle") {
		t.Errorf("Load() without a bundle can be applied: %v, error %v; want no, and an error about the bundle", apply != nil, err)
	}
}

// talk makes a request on a connection of its own that stays open.
func talk(c *tls.Conn) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, err := c.Read(answer)
	if err == nil && !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200 ") {
		err = errors.New(string(answer[:n]))
	}
	return err
}

// Open connections survive a reload with the certificate that they began with; new ones get the new certificate. A
// client whose CA was removed is refused at once, also on an open connection.
func TestReloadUnderOpenConnections(t *testing.T) {
	t.Parallel()
	ca, kept, removed := testca.New(t, "ca"), testca.New(t, "kept"), testca.New(t, "removed")
	f := files(t)
	f.pair(t, ca, time.Time{})
	f.trust(t, kept, removed)
	identity := NewTLS(f, nil)
	load(t, identity)
	s := startServerWith(t, identity, answering())
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	dial := func(client *tls.Certificate) (*tls.Conn, error) {
		config := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*client}}
		c := tls.Client(s.dialRaw(t), config)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return c, c.HandshakeContext(ctx)
	}
	clientKept, clientRemoved := kept.Client(t), removed.Client(t)
	var open []*tls.Conn
	for _, client := range []*tls.Certificate{clientKept, clientRemoved} {
		c, err := dial(client)
		if err == nil {
			err = talk(c)
		}
		if err != nil {
			t.Fatalf("before the reload: %v", err)
		}
		open = append(open, c)
	}

	renewed := f.pair(t, ca, time.Time{})
	f.trust(t, kept)
	load(t, identity)
	for range 3 {
		if err := talk(open[0]); err != nil {
			t.Errorf("an open connection after the reload: %v", err)
		}
	}
	if err := talk(open[1]); err == nil {
		t.Error("an open connection of a client whose CA was removed is answered")
	}
	c, err := dial(clientKept)
	if err == nil {
		err = talk(c)
	}
	if err != nil {
		t.Fatalf("a new connection: %v", err)
	}
	if got := c.ConnectionState().PeerCertificates[0].Subject.CommonName; got != renewed {
		t.Errorf("a new connection is shown %s, want %s", got, renewed)
	}
	if c, err = dial(clientRemoved); err == nil {
		err = talk(c) // with TLS 1.3 the client learns of the refusal when it reads
	}
	if err == nil {
		t.Error("a new connection of a client whose CA was removed is answered")
	}
}

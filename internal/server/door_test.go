package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/authority"
	"step-posture-connector/internal/test/testca"
)

// startDoor is a server as that of DOOR_ADDRESS, which trusts its root.
func startDoor(t *testing.T) *revocable {
	t.Helper()
	r := &revocable{root: testca.New(t, "Root"), files: files(t)}
	r.files.pair(t, r.root, time.Time{})
	r.files.trust(t, r.root)
	r.identity = NewDoorTLS(r.files)
	load(t, r.identity)
	r.testServer = startServerWith(t, r.identity, answering(), func(s *Server) {
		r.server = s
		s.Notify(func(line string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notices = append(r.notices, line)
		})
	})
	return r
}

// wantOnlyDoors wants that no notice is about the listener of the webhooks.
func (r *revocable) wantOnlyDoors(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.notices {
		for _, of := range []string{"step-ca", "webhook", "TLS_CA_PATH", "TLS_CRL_PATH", "MTLS", "X5C"} {
			if strings.Contains(line, of) {
				t.Errorf("a notice of the doors names %s: %s", of, line)
			}
		}
	}
}

// Nobody gets past the handshake of a door without a client certificate of its CA, and the notices say what to change.
func TestDoorHandshakes(t *testing.T) {
	t.Parallel()
	r := startDoor(t)
	stranger := testca.New(t, "Stranger")
	r.wantStatus(t, "a caller of the CA", r.as(t, "h2", r.root.Client(t), nil), http.StatusOK)

	usage := func(usage x509.ExtKeyUsage, notAfter time.Time) *tls.Certificate {
		leaf, key := r.root.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "radius"}, ExtKeyUsage: []x509.ExtKeyUsage{usage}, NotAfter: notAfter})
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	}
	for _, test := range []struct {
		cause       string
		certificate *tls.Certificate
		notice      string
	}{
		{noCertificate, &tls.Certificate{}, "a client presented no certificate, but DOOR_ADDRESS always asks for one; a RADIUS server or proxy presents one only where its configuration names a certificate and its key; some clients send none when they have only one of another CA than those in DOOR_CLIENT_CA_PATH (\"Root\", expires "},
		{untrustedCertificate, stranger.Client(t), "client certificate refused: it does not chain to a CA in DOOR_CLIENT_CA_PATH (\"Root\", expires "},
		{expiredCertificate, usage(x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Minute)), "client certificate refused: it is expired or not yet valid; it bears common name \"radius\""},
		{wrongUsage, usage(x509.ExtKeyUsageServerAuth, time.Time{}), "client certificate refused: its extended key usage lacks clientAuth; it bears common name \"radius\""},
	} {
		always := func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return test.certificate, nil }
		}
		for _, protocol := range []string{"http/1.1", "h2"} {
			if got, err := r.status(t, r.as(t, protocol, test.certificate, always)); err == nil {
				t.Errorf("%s: it is answered %d", test.cause, got)
			}
		}
		eventually(t, test.cause+" is counted", func() bool { return r.server.FailedHandshakes(test.cause) == 2 })
		r.wantNotice(t, test.notice, "; from 127.0.0.1:")
	}

	r.client = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.get(ctx, "h2", "/"); err == nil {
		t.Error("a client that trusts no CA is answered")
	}
	r.wantNotice(t, "a client refused the server certificate (", `); the RADIUS server or proxy must trust the CA that issued it, which is "Root", and the URL in its configuration must have one of its names: "127.0.0.1"`)
	r.wantOnlyDoors(t)
}

// A caller whose CA was removed, or that was revoked, loses its open connection.
func TestDoorReload(t *testing.T) {
	t.Parallel()
	r := startDoor(t)
	revoked := r.root.Client(t)
	client := r.as(t, "h2", revoked, nil)
	r.wantStatus(t, "before", client, http.StatusOK)
	other := testca.New(t, "Other")
	r.files.trust(t, other)
	load(t, r.identity)
	if got, err := r.status(t, client); err == nil {
		t.Errorf("a caller whose CA was removed is answered %d", got)
	}
	leaf := &x509.Certificate{Raw: []byte{1}}
	r.server.notices.sayRevoked(&clientError{revokedCertificate, leaf, clientRefused + "it is revoked"}, "refused: ", address("1.2.3.4:5"))
	r.wantNotice(t, "refused: it is revoked", "a RADIUS server or proxy whose own it is gets no answer until it has another one, and its devices are refused; from 1.2.3.4:5")
	r.wantOnlyDoors(t)
}

// Without a file of CAs there is no door: without one, the listener of the webhooks admits everybody.
func TestDoorNeedsCAs(t *testing.T) {
	t.Parallel()
	root, f := testca.New(t, "Root"), files(t)
	f.pair(t, root, time.Time{})
	f.trust(t, root)
	open := f
	open.ClientCA = ""
	door := NewDoorTLS(open)
	apply, err := door.Load(time.Now())
	inFile := (*authority.FileError)(nil)
	if apply != nil || !errors.As(err, &inFile) || inFile.Setting != "DOOR_CLIENT_CA_PATH" || inFile.Role != ClientCA || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load() without a file of CAs: it can be applied: %v, error %v; want no, and a fault of DOOR_CLIENT_CA_PATH", apply != nil, err)
	}
	load(t, NewTLS(open, nil))

	door = NewDoorTLS(f)
	load(t, door)
	f.write(t, f.ClientCA, "CERTIFICATE")
	load(t, door, ClientCA)
	if got := door.current.Load().config; got.ClientAuth != tls.RequireAndVerifyClientCert || !got.SessionTicketsDisabled || got.VerifyConnection == nil {
		t.Error("after a reload that failed, no client certificate is required")
	}
}

// The warnings of a door are about its own file: those about the certificate have been given for the webhooks.
func TestDoorWarnings(t *testing.T) {
	t.Parallel()
	root, f := testca.New(t, "Root"), files(t)
	expired := root.Intermediate(t, "Expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	f.pair(t, root.Intermediate(t, "Between", nil), time.Time{}) // whose certificate is not in the file
	f.trust(t, root, expired)
	door, webhooks := NewDoorTLS(f), NewTLS(f, nil)
	load(t, door)
	load(t, webhooks)
	begins := func(warnings []string) (settings []string) {
		for _, warning := range warnings {
			setting, _, _ := strings.Cut(warning, ": ")
			settings = append(settings, setting)
		}
		return settings
	}
	if got := begins(door.Warnings(time.Now())); !slices.Equal(got, []string{"DOOR_CLIENT_CA_PATH"}) {
		t.Errorf("the door warns of %q", got)
	}
	if got := begins(webhooks.Warnings(time.Now())); !slices.Equal(got, []string{"TLS_CERT_PATH", "TLS_CA_PATH"}) {
		t.Errorf("the webhooks warn of %q", got)
	}
}

package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// TestRevokedCaller: a caller's certificate is revoked with `step ca revoke`, and the CRL is fetched from step-ca. The
// caller's next request is turned away, on its open connection and on a new one, while step-ca goes on being answered.
// When step-ca's own certificate is revoked, it is shut out until its restart.
func TestRevokedCaller(t *testing.T) {
	l := &lab{programs: buildPrograms(t)}
	l.ca = l.initCA(t, true)
	err := l.ca.EditConfig(func(config map[string]any) error {
		config["crl"] = map[string]any{"enabled": true, "generateOnRevoke": true}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.startCA(t)
	lists := filepath.Join(t.TempDir(), "ca.crl")
	l.fetchLists(t, lists)
	caller := l.revocable(t)
	// The caller has the name of the CA's certificate.
	g := l.open(t, gate.Config{MutualTLS: true, AllowedNames: "localhost", Health: true, More: []string{"TLS_CRL_PATH=" + lists}})
	cert, err := finalize(t, l.order(t, g.DirectoryURL(), knownSerial))
	expectEnriched(t, cert, err)
	for range 2 {
		if status, err := caller.call(t, g); err != nil || status != http.StatusOK {
			t.Fatalf("before it is revoked, the caller gets %d, %v", status, err)
		}
	}
	if got := caller.dials.Load(); got != 1 {
		t.Fatalf("the caller has made %d connections, want 1", got)
	}

	l.revoke(t, caller.serial)
	l.fetchLists(t, lists)
	expectLog(t, g.Connector(), "reloaded: TLS certificate", "revocation lists in "+lists, "Loopback Intermediate CA", "CRL number ", ", 1 entry")
	if status, err := caller.call(t, g); err != nil || status != http.StatusUnauthorized {
		t.Errorf("on its open connection the revoked caller gets %d, %v; want 401", status, err)
	}
	if got := caller.dials.Load(); got != 1 {
		t.Errorf("the caller has made %d connections, want 1", got)
	}
	if status, err := caller.call(t, g); err == nil || caller.dials.Load() == 1 {
		t.Errorf("on connection %d the revoked caller gets %d, want a failed handshake", caller.dials.Load(), status)
	}
	expectLog(t, g.Connector(), "a request on an open connection was refused (401)", "its serial number "+caller.serial)
	cert, err = finalize(t, l.order(t, g.DirectoryURL(), knownSerial))
	expectEnriched(t, cert, err)

	l.revoke(t, l.serial(t))
	l.fetchLists(t, lists)
	expectLog(t, g.Connector(), "reloaded: TLS certificate", ", 2 entries")
	expectServerError(t, l.order(t, g.DirectoryURL(), knownSerial))
	expectLog(t, g.Connector(), "if it is step-ca's own, every order fails until step-ca is restarted")
	if err := l.ca.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := l.ca.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	cert, err = finalize(t, l.order(t, g.DirectoryURL(), knownSerial))
	expectEnriched(t, cert, err)
}

// revocable is a client with a certificate of the CA, which keeps its connection.
type revocable struct {
	client *http.Client
	serial string
	dials  *atomic.Int32
}

func (l *lab) revocable(t *testing.T) revocable {
	t.Helper()
	cert, key, err := l.ca.IssueServer(t.Context(), t.TempDir(), stepca.EC) // it is for clients too
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := l.ca.Roots()
	if err != nil {
		t.Fatal(err)
	}
	dials := &atomic.Int32{}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return revocable{&http.Client{Transport: transport, Timeout: answerTimeout}, pair.Leaf.SerialNumber.String(), dials}
}

// call asks the webhook listener whether it answers.
func (c revocable) call(t *testing.T, g *gate.Gate) (status int, err error) {
	t.Helper()
	at, err := url.Parse(g.URL())
	if err != nil {
		t.Fatal(err)
	}
	return fetched(t, c.client, "https://"+at.Host+"/status", io.Discard)
}

func fetched(t testing.TB, client *http.Client, address string, to io.Writer) (status int, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(to, response.Body)
	return response.StatusCode, err
}

// fetchLists replaces a file by the CRL of the CA, with the certificate of its issuer, as the script in docs/operation.md does.
func (l *lab) fetchLists(t testing.TB, path string) {
	t.Helper()
	var text bytes.Buffer
	for _, from := range []string{"/1.0/crl?pem=true", "/intermediates.pem"} {
		if status, err := fetched(t, l.client, l.ca.URL()+from, &text); err != nil || status != http.StatusOK {
			t.Fatalf("GET %s: %d, %v", from, status, err)
		}
	}
	writeFile(t, path+".new", text.String())
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) revoke(t *testing.T, serial string) {
	t.Helper()
	if err := l.ca.Revoke(t.Context(), serial); err != nil {
		t.Fatal(err)
	}
}

// serial is that of the CA's own certificate.
func (l *lab) serial(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.ca.URL()+"/health", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := l.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.TLS.PeerCertificates[0].SerialNumber.String()
}

package blackbox_test

import (
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// A certificate that has expired ends the start each time; once it was renewed, the next start succeeds. So a
// service manager that goes on trying needs nobody's help.
func TestStartAfterRenewal(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	key := ecKey(t)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "server.key", "PRIVATE KEY", private)
	write := func(notAfter time.Time) {
		t.Helper()
		certificate := leaf("connector")
		certificate.SerialNumber = big.NewInt(notAfter.Unix())
		certificate.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		certificate.NotBefore, certificate.NotAfter = time.Now().Add(-48*time.Hour), notAfter
		p.write(t, "server.pem", "CERTIFICATE", p.sign(t, certificate, key))
	}
	env := workingEnvironment(t, p)
	write(time.Now().Add(-time.Hour))
	for range 2 {
		if got := runOnce(t, env, ""); got.code != 1 || !strings.Contains(got.stderr, "TLS_CERT_PATH: TLS certificate ") || !strings.Contains(got.stderr, ": expired at ") {
			t.Fatalf("with an expired certificate = %d %s, want 1 and the reason", got.code, got.stderr)
		}
	}
	write(time.Now().Add(time.Hour))
	d := startDaemon(t, env)
	newSigner(t, p, d.address, nil).wantDecision(t, "after the renewal", "C02XK1JKLVCG", allowed)
}

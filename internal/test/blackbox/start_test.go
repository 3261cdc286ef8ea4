package blackbox_test

import (
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// With an expired certificate every start fails; after its renewal the next start succeeds. So a service manager that
// tries again recovers without an operator.
func TestStartAfterRenewal(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	key := program.NewECKey(t)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.Write(t, "server.key", "PRIVATE KEY", private)
	write := func(notAfter time.Time) {
		t.Helper()
		certificate := program.LeafTemplate("connector")
		certificate.SerialNumber = big.NewInt(notAfter.Unix())
		certificate.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		certificate.NotBefore, certificate.NotAfter = time.Now().Add(-48*time.Hour), notAfter
		p.Write(t, "server.pem", "CERTIFICATE", p.Sign(t, certificate, key))
	}
	env := program.WorkingEnvironment(t, p)
	write(time.Now().Add(-time.Hour))
	for range 2 {
		if got := program.Run(t, env, ""); got.Code != 1 || !strings.Contains(got.Stderr, "TLS_CERT_PATH: TLS certificate ") || !strings.Contains(got.Stderr, ": expired at ") {
			t.Fatalf("with an expired certificate = %d %s, want 1 and the reason", got.Code, got.Stderr)
		}
	}
	write(time.Now().Add(time.Hour))
	d := program.StartDaemon(t, env)
	program.NewStepCA(t, p, d.Address, nil).WantDecision(t, "after the renewal", "C02XK1JKLVCG", program.Allowed)
}

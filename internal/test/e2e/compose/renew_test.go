//go:build compose

package compose_test

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

// parse returns the first certificate of a text.
func parse(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no certificate in %q", text)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// served is the certificate that the connector presents in a handshake.
func (s *stack) served(t *testing.T) *x509.Certificate {
	t.Helper()
	return parse(t, s.compose(t, "exec", "-T", "renewer", "step", "certificate", "inspect", "--format", "pem",
		"--roots", "/run/connector/root_ca.crt", "https://connector:9443"))
}

func (s *stack) inspect(t *testing.T, container, format string) string {
	t.Helper()
	return strings.TrimSpace(s.run(t, "docker", "inspect", "--format", format, container))
}

// renewed: the renewer renews at once, because RENEW_AT is 0%. The connector is not restarted.
func (s *stack) renewed(t *testing.T) {
	connector := s.container(t, "connector")
	started, before := s.inspect(t, connector, "{{.State.StartedAt}}"), s.served(t)
	env := s.env
	s.env = append(env[:len(env):len(env)], "RENEW_AT=0%")
	s.compose(t, "up", "--detach", "--wait", "--no-deps", "renewer")
	s.eventually(t, "a new certificate is served", func() bool { return !s.served(t).Equal(before) })
	if after := s.served(t); !after.NotBefore.After(before.NotBefore) {
		t.Errorf("a certificate of %s is served after one of %s", after.NotBefore, before.NotBefore)
	}
	s.env = env
	s.compose(t, "up", "--detach", "--wait", "--no-deps", "renewer")
	if again := s.container(t, "connector"); again != connector || s.inspect(t, connector, "{{.State.StartedAt}}") != started {
		t.Error("the connector was restarted")
	}
	s.wantCertificate(t, "renewed", known)

	begin := time.Now()
	s.run(t, "docker", "stop", "--time", "20", s.container(t, "renewer"))
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the renewer takes %s to exit", took)
	}
	s.up(t)
}

// expired: a stack that was off until its certificate expired is healthy again after a start, without an up.
func (s *stack) expired(t *testing.T) {
	services := []string{s.container(t, "connector"), s.container(t, "renewer")}
	s.run(t, append([]string{"docker", "stop", "--time", "20"}, services...)...)
	text := s.inside(t, "setup", `cd /connector && step ca certificate connector server.crt server.key --force --not-before=-10m --not-after=10m5s \
		--ca-url https://step-ca:9000 --root root_ca.crt --provisioner admin --provisioner-password-file /password/password >/dev/null &&
		chown 65532:65532 server.crt server.key && chmod 0600 server.crt server.key && cat server.crt`)
	short := parse(t, text)
	s.eventually(t, "the certificate expires", func() bool { return time.Now().After(short.NotAfter) })
	s.run(t, append([]string{"docker", "start"}, services...)...)
	s.eventually(t, "the connector is healthy", func() bool { return s.inspect(t, services[0], "{{.State.Health.Status}}") == "healthy" })
	if got := s.served(t); got.Equal(short) {
		t.Error("the certificate that has expired is served")
	}
	s.wantCertificate(t, "after the pause", known)
}

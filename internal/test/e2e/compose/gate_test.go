//go:build compose

package compose_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// interruptedAtFirst: after an interruption of the CA's first start, the next start replaces what is incomplete,
// but it does not delete keys that may be in use.
func (s *stack) interruptedAtFirst(t *testing.T) {
	t.Helper()
	s.fails(t, "run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "step-ca", "-c",
		"mkdir -p secrets certs && echo half >secrets/root_ca_key && echo half >certs/root_ca.crt && exec sh /setup/ca.sh")
	if !strings.Contains(s.failed, "there are keys of a CA, but no config/ca.json") {
		t.Errorf("with only keys the CA printed %s", s.failed)
	}
	s.inside(t, "step-ca", "touch unfinished && mkdir config && echo '{' >config/ca.json")
}

// gated: without its webhook the CA issues nothing, and the next up adds the webhook again. While the CA does not
// answer, setup changes nothing.
func (s *stack) gated(t *testing.T) {
	s.admin(t, "webhook", "remove", "devices", "posture")
	s.wantRefused(t, "without the webhook", known, 500, "serverInternal")
	s.up(t)
	s.wantRefused(t, "with a webhook that the connector does not know", known, 500, "serverInternal")
	s.run(t, "docker", "restart", "--time", "20", s.container(t, "connector"))
	s.up(t)
	s.decides(t)

	ca := s.container(t, "step-ca")
	s.run(t, "docker", "stop", ca)
	s.fails(t, "run", "--rm", "--no-deps", "-T", "setup")
	s.run(t, "docker", "start", ca)
	s.up(t)
	s.decides(t)
}

// changed: the next up applies every setting that may change after the first start, and the connector's files stay
// consistent.
func (s *stack) changed(t *testing.T) {
	env := s.env
	s.env = append(env[:len(env):len(env)], "WEBHOOK_MODE=computer")
	// The key of another certificate, as an interruption may leave it.
	before := s.inside(t, "setup", "cd /connector && step crypto keypair /tmp/public server.key --no-password --insecure --force >/dev/null && cat server.crt")
	s.up(t)
	if s.inside(t, "setup", "cat /connector/server.crt") == before {
		t.Error("a certificate without its key is left as it is")
	}
	list := s.compose(t, "exec", "-T", "step-ca", "step", "ca", "provisioner", "list")
	if want := `"url": "https://connector:9443/webhook/device-attest?mode=computer"`; !strings.Contains(list, want) {
		t.Errorf("the CA has no %s in\n%s", want, list)
	}
	s.env = env
	s.up(t)
	s.decides(t)
}

// renewalRefused: a device must order its next certificate, because step-ca asks no webhook when it renews one.
func (s *stack) renewalRefused(t *testing.T) {
	d, err := s.maker.Make(known, "00008030-"+known)
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("https://localhost:%d", s.port)
	order, err := d.Order(t.Context(), s.client, url+"/acme/devices/directory")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := order.Finalize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status, err := d.Renew(t.Context(), s.roots, url, certificate); err != nil || status != http.StatusUnauthorized {
		t.Errorf("the renewal of a device's certificate is answered %d, %v, want %d", status, err, http.StatusUnauthorized)
	}
}

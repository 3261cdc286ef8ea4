//go:build compose

package podspec_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/process"
)

const (
	namespace = "step-posture-connector"
	known     = "C02XK1JKLVCG" // of docs/kubernetes/overlays/file/devices.csv
	unknown   = "C02UNKNOWN01"
	// caName is where the Helm chart of smallstep puts step-ca; the manifests want this name in its client certificate.
	caName    = "step-certificates.step-ca.svc.cluster.local"
	orderTime = 2 * time.Minute
)

// authority is a real step-ca in the network of the node, with a provisioner that asks the connector.
type authority struct {
	node   *node
	name   string
	port   int
	maker  *device.Manufacturer
	client *http.Client
	root   string // in PEM
	setup  string // a folder that the CA sees as /setup
}

// newAuthority starts a CA as docker/docker-compose.yml does, with the provisioner that docker/setup makes.
func newAuthority(t *testing.T, n *node, repository string) *authority {
	t.Helper()
	ca := &authority{node: n, name: n.id + "-ca"}
	var err error
	if ca.maker, err = device.NewManufacturer(); err != nil {
		t.Fatal(err)
	}
	if ca.port, err = process.FreePort(t.Context()); err != nil {
		t.Fatal(err)
	}
	setup := shared(t, "setup")
	ca.setup = setup
	files := map[string][]byte{"password": []byte("the-password-of-a-test"), "roots.crt": ca.maker.RootPEM()}
	for _, name := range []string{"ca.sh", "device.tpl"} {
		if files[name], err = os.ReadFile(filepath.Join(repository, "docker", "setup", name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(setup, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n.docker(t, "run", "--detach", "--name", ca.name, "--label", n.id, "--network", n.network, "--network-alias", "ca",
		"--publish", fmt.Sprintf("127.0.0.1:%d:9000", ca.port), "--volume", setup+":/setup:ro", "--volume", setup+":/password:ro",
		"--env", "CA_NAME=Pods", "--env", "CA_DNS_NAMES=localhost,"+caName, "--entrypoint", "sh", n.stepCA, "/setup/ca.sh")
	eventually(t, "step-ca answers", func() bool {
		_, err := run(n.ctx, nil, "docker", "exec", ca.name, "step", "ca", "health")
		return err == nil
	})
	ca.root = n.docker(t, "exec", ca.name, "cat", "/home/step/certs/root_ca.crt")
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca.root)) {
		t.Fatal("step-ca has no root")
	}
	ca.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
	ca.provisioner(t, "add", "devices", "--type", "ACME", "--challenge", "device-attest-01", "--attestation-format", "apple",
		"--attestation-roots", "/setup/roots.crt", "--x509-template", "/setup/device.tpl", "--disable-renewal",
		"--x509-default-dur", "168h", "--x509-max-dur", "168h")
	return ca
}

// serve makes the Service of step-ca, with the port of the Helm chart's.
func (ca *authority) serve(t *testing.T, balancer string) {
	t.Helper()
	ca.node.docker(t, "run", "--detach", "--name", ca.name+"-service", "--label", ca.node.id, "--network", ca.node.network,
		"--network-alias", caName, "--read-only", balancer, ":443", "ca:9000")
}

// provisioner runs a command of the CA's administrator.
func (ca *authority) provisioner(t *testing.T, args ...string) string {
	t.Helper()
	return ca.node.docker(t, append(append([]string{"exec", ca.name, "step", "ca", "provisioner"}, args...),
		"--admin-subject", "step", "--admin-provisioner", "admin", "--admin-password-file", "/password/password")...)
}

// webhook adds a webhook, and returns its ID and its secret.
func (ca *authority) webhook(t *testing.T, name string, more ...string) (id, secret string) {
	t.Helper()
	url := "https://step-posture-connector." + namespace + ".svc.cluster.local:9443/webhook/device-attest?mode=any"
	out := ca.provisioner(t, append([]string{"webhook", "add", "devices", name, "--url", url}, more...)...)
	match := regexp.MustCompile(`(?m)^Webhook ID: (\S+)\nSecret: (\S+)$`).FindStringSubmatch(out)
	if match == nil {
		t.Fatal("step has shown no webhook ID and secret")
	}
	return match[1], match[2]
}

// issue is what cert-manager does for a Certificate: it returns the content of the Secret.
func (ca *authority) issue(t *testing.T, c certificate, more ...string) map[string]string {
	t.Helper()
	if len(c.Spec.DNSNames) == 0 {
		t.Fatal("the Certificate has no names")
	}
	args := []string{"exec", ca.name, "step", "ca", "certificate", c.Spec.DNSNames[0], "/tmp/tls.crt", "/tmp/tls.key", "--force"}
	for _, name := range c.Spec.DNSNames {
		args = append(args, "--san", name)
	}
	ca.node.docker(t, append(append(args, "--provisioner", "admin", "--provisioner-password-file", "/password/password"), more...)...)
	return map[string]string{
		"tls.crt": ca.node.docker(t, "exec", ca.name, "cat", "/tmp/tls.crt"), "tls.key": ca.node.docker(t, "exec", ca.name, "cat", "/tmp/tls.key"),
	}
}

// order makes a device, which orders a certificate at the CA.
func (ca *authority) order(ctx context.Context, serial string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	d, err := ca.maker.Make(serial, "00008030-"+serial)
	if err != nil {
		return nil, err
	}
	order, err := d.Order(ctx, ca.client, fmt.Sprintf("https://localhost:%d/acme/devices/directory", ca.port))
	if err != nil {
		return nil, err
	}
	return order.Finalize(ctx)
}

// wantCertificate wants the next order of a device to succeed.
func (ca *authority) wantCertificate(t *testing.T, what, serial string) {
	t.Helper()
	certificate, err := ca.order(t.Context(), serial)
	if err != nil || certificate.Subject.CommonName != serial {
		t.Errorf("%s: an order of %s gets %v, want a certificate", what, serial, err)
	}
}

// wantRefused wants the next order of a device to be refused by the connector.
func (ca *authority) wantRefused(t *testing.T, what, serial, code string) {
	t.Helper()
	if err := ca.refused(t.Context(), serial, code); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// refused returns an error unless the order of a device is refused with a code.
func (ca *authority) refused(ctx context.Context, serial, code string) error {
	_, err := ca.order(ctx, serial)
	var p *acme.Error
	if errors.As(err, &p) && p.StatusCode == http.StatusUnauthorized {
		for _, sub := range p.Subproblems {
			if strings.HasSuffix(sub.Type, ":"+code) {
				return nil
			}
		}
	}
	return fmt.Errorf("an order of %s gets %w, want a refusal with %s", serial, errOrNone(err), code)
}

func errOrNone(err error) error {
	if err == nil {
		return errors.New("a certificate")
	}
	return err
}

// parse returns the first certificate of a text.
func parse(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no certificate in %q", text)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

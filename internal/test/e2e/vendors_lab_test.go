package e2e_test

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/fakevendor"
	"step-posture-connector/internal/test/e2e/gate"
)

// vendors are simulated servers, and the gate whose connector asks them.
type vendors struct {
	*lab
	dir     string
	servers map[string]*fakevendor.Server
	secrets []string
	gate    *gate.Gate
}

func newVendors(t *testing.T, l *lab) *vendors {
	t.Helper()
	return &vendors{lab: l, dir: t.TempDir(), servers: map[string]*fakevendor.Server{}}
}

// start starts the simulated server of a vendor until the test ends, when it must not have seen a violation.
func (v *vendors) start(t *testing.T, vendor string, options any) *fakevendor.Server {
	t.Helper()
	// The test's context ends before its cleanups run, and they still need the server.
	ctx := context.WithoutCancel(t.Context())
	server, err := fakevendor.Start(ctx, fakevendor.Config{
		Binary: v.programs.FakeVendor(), Args: []string{"-vendor", vendor}, Vendor: vendor, Dir: v.dir, Options: options,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if report, err := server.Report(ctx); err != nil || len(report.Violations) > 0 {
			t.Errorf("%s reports %q, %v", vendor, report.Violations, err)
		}
		if err := server.Stop(); err != nil {
			t.Errorf("stop fakevendor: %v", err)
		}
	})
	v.servers[vendor] = server
	return server
}

// secret makes a file with a secret, which no log may show.
func (v *vendors) secret(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(v.dir, name)
	writeFile(t, path, text)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
			v.secrets = append(v.secrets, line)
		}
	}
	return path
}

// open puts a gate in front of the CA whose connector trusts all the servers. At the end neither the connector nor step-ca may
// have printed a secret.
func (v *vendors) open(t *testing.T, config gate.Config) {
	t.Helper()
	var bundle strings.Builder
	for _, server := range v.servers {
		ca, err := os.ReadFile(server.CA())
		if err != nil {
			t.Fatal(err)
		}
		bundle.Write(ca)
	}
	config.Trusted, config.LoggingLevel = filepath.Join(v.dir, "cas.crt"), 2
	writeFile(t, config.Trusted, bundle.String())
	t.Cleanup(func() {
		if v.gate == nil {
			return
		}
		if log := v.gate.Connector().Log(); strings.Contains(log, "can never use the snapshot") {
			t.Errorf("a snapshot is of no use:\n%s", log)
		}
		for who, log := range map[string]string{"the connector": v.gate.Connector().Log(), "step-ca": v.ca.Log()} {
			secrets := append([]string{"vendor-words"}, v.secrets...)
			if who == "the connector" {
				secrets = append(secrets, "eyJ", "Bearer ") // assertions and tokens; step-ca logs JWTs of its own
			}
			for _, secret := range secrets {
				if strings.Contains(log, secret) {
					t.Errorf("the log of %s shows %s", who, secret)
				}
			}
		}
	})
	v.gate = v.lab.open(t, config)
}

// issues insists that the device gets a certificate.
func (v *vendors) issues(t *testing.T, directory, serial string) *x509.Certificate {
	t.Helper()
	cert, err := finalize(t, v.order(t, directory, serial))
	expectIssuedTo(t, serial, cert, err)
	expectLog(t, v.gate.Connector(), "[ALLOW]", serial)
	return cert
}

// refuses insists that it gets none, and returns the order.
func (v *vendors) refuses(t *testing.T, directory, serial, code string) *device.Order {
	t.Helper()
	order := v.order(t, directory, serial)
	cert, err := finalize(t, order)
	expectRefused(t, v.gate.Connector(), code, serial, cert, err)
	return order
}

// during does something while a server cannot be reached.
func (v *vendors) during(t *testing.T, vendor string, outage func()) {
	t.Helper()
	if err := v.servers[vendor].Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	outage()
	if err := v.servers[vendor].Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (v *vendors) set(t *testing.T, vendor string, records ...record) {
	t.Helper()
	if err := v.servers[vendor].SetDevices(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

//go:build compose

package compose_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/toolchain"
)

const (
	patience = 6 * time.Minute // for anything that must happen; only a build of the image takes more than one
	known    = "C02XK1JKLVCG"  // of docker/devices.csv
	unknown  = "C02UNKNOWN01"
)

// stack is a copy of the folder docker and its running containers, with a project name of its own.
type stack struct {
	folder string
	files  []string // of the folder
	name   string
	port   int
	env    []string
	maker  *device.Manufacturer
	roots  *x509.CertPool // the CA's
	client *http.Client
	failed string // output of the last command that failed as expected
}

// image returns the name of an image that make test-compose has made.
func image(t *testing.T, variable string) string {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		t.Fatalf("%s is not set: run make test-compose", variable)
	}
	return variable + "=" + name
}

func newStack(t *testing.T, more ...string) *stack {
	t.Helper()
	programs, err := toolchain.Locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{
		folder: filepath.Join(t.TempDir(), "docker"), files: []string{"docker-compose.yml"},
		name: fmt.Sprintf("posture-%s-%d", strings.ToLower(t.Name()), os.Getpid()),
	}
	if err := os.CopyFS(s.folder, os.DirFS(filepath.Join(programs.Repository(), "docker"))); err != nil {
		t.Fatal(err)
	}
	// The users of the containers must be able to read these.
	if err := exec.CommandContext(t.Context(), "chmod", "-R", "a+rX", filepath.Dir(filepath.Dir(s.folder))).Run(); err != nil {
		t.Fatal(err)
	}
	if s.maker, err = device.NewManufacturer(); err != nil {
		t.Fatal(err)
	}
	s.write(t, "simulated.crt", string(s.maker.RootPEM()))
	if s.port, err = process.FreePort(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), image(t, "STEP_CA_IMAGE"), image(t, "CONNECTOR_IMAGE"), "COMPOSE_PROJECT_NAME="+s.name,
		fmt.Sprintf("CA_PORT=%d", s.port), "ATTESTATION_ROOTS="+filepath.Join(s.folder, "simulated.crt"))
	s.env = append(s.env, more...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the containers printed:\n%s", s.compose(t, "--profile", "*", "logs", "--no-color", "--tail", "40"))
		}
		// Without the profile, down ignores the services that the profile has started.
		s.compose(t, "--profile", "*", "down", "--volumes", "--timeout", "20")
		if left := s.run(t, "docker", "container", "ls", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+s.name); left != "" {
			t.Errorf("containers are left: %s", left)
		}
	})
	return s
}

// compose runs a command of docker compose with the shipped file.
func (s *stack) compose(t *testing.T, args ...string) string {
	t.Helper()
	command := []string{"docker", "compose"}
	for _, file := range s.files {
		command = append(command, "--file", filepath.Join(s.folder, file))
	}
	return s.run(t, append(command, args...)...)
}

// run runs a command that must succeed, and returns its output.
func (s *stack) run(t *testing.T, args ...string) string {
	t.Helper()
	// The test's context ends before the cleanup.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = s.env
	var out, errorText bytes.Buffer
	c.Stdout, c.Stderr = &out, &errorText
	if err := c.Run(); err != nil {
		t.Errorf("%s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errorText.String())
	}
	return out.String()
}

// fails runs a command of docker compose that must not succeed.
func (s *stack) fails(t *testing.T, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "docker", append([]string{"compose", "--file", filepath.Join(s.folder, s.files[0])}, args...)...)
	c.Env = s.env
	out, err := c.CombinedOutput()
	s.failed = string(out)
	if err == nil {
		t.Errorf("%s succeeded, want an error: %s", strings.Join(args, " "), out)
	}
}

// up starts what does not run, and waits until all services are healthy.
func (s *stack) up(t *testing.T, more ...string) {
	t.Helper()
	s.compose(t, append([]string{"up", "--detach", "--wait"}, more...)...)
	if t.Failed() {
		t.FailNow()
	}
	root := s.compose(t, "exec", "-T", "step-ca", "cat", "/home/step/certs/root_ca.crt")
	s.trust(t, root)
}

// trust makes the devices trust a CA.
func (s *stack) trust(t *testing.T, root string) {
	t.Helper()
	s.roots = x509.NewCertPool()
	if !s.roots.AppendCertsFromPEM([]byte(root)) {
		t.Fatalf("the CA has no root: %s", root)
	}
	s.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
}

// write writes a file in the folder.
func (s *stack) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inside runs a script in a new container of a service.
func (s *stack) inside(t *testing.T, service, script string) string {
	t.Helper()
	return s.compose(t, "run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", service, "-c", script)
}

// admin runs a command as the CA's administrator.
func (s *stack) admin(t *testing.T, args ...string) {
	t.Helper()
	s.compose(t, append(append([]string{"exec", "-T", "step-ca", "step", "ca", "provisioner"}, args...),
		"--admin-subject", "step", "--admin-provisioner", "admin", "--admin-password-file", "/password/password")...)
}

// container returns the ID of the one container of a service.
func (s *stack) container(t *testing.T, service string) string {
	t.Helper()
	return strings.TrimSpace(s.compose(t, "ps", "--all", "--quiet", service))
}

// order makes a simulated device, which orders a certificate at the CA's published port.
func (s *stack) order(ctx context.Context, serial string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d, err := s.maker.Make(serial, "00008030-"+serial)
	if err != nil {
		return nil, err
	}
	order, err := d.Order(ctx, s.client, fmt.Sprintf("https://localhost:%d/acme/devices/directory", s.port))
	if err != nil {
		return nil, err
	}
	return order.Finalize(ctx)
}

// wantCertificate wants the next order of a device to succeed.
func (s *stack) wantCertificate(t *testing.T, what, serial string) {
	t.Helper()
	certificate, err := s.order(t.Context(), serial)
	if err != nil || certificate.Subject.CommonName != serial {
		t.Errorf("%s: an order of %s gets %v, want a certificate", what, serial, err)
	}
}

// wantRefused wants the next order of a device to fail with a status.
func (s *stack) wantRefused(t *testing.T, what, serial string, status int, code string) {
	t.Helper()
	_, err := s.order(t.Context(), serial)
	if got := problem(err); !strings.HasPrefix(got, fmt.Sprint(status, " ")) || !strings.Contains(got, code) {
		t.Errorf("%s: an order of %s gets %q (%v), want %d and %s", what, serial, got, err, status, code)
	}
}

func (s *stack) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

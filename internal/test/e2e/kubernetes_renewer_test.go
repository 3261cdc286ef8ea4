package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/person"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// TestRenewerProvisioner: the provisioner that docs/kubernetes makes for the renewer issues for the names of the connector, and
// nothing else, whatever somebody asks for who has its password.
func TestRenewerProvisioner(t *testing.T) {
	l := &lab{programs: buildPrograms(t)}
	var err error
	// This CA signs SSH certificates too.
	l.ca, err = stepca.Init(t.Context(), stepca.Config{
		StepCA: l.programs.StepCA(), Step: l.programs.Step(), Dir: t.TempDir(), RemoteManagement: true, InitArgs: []string{"--ssh"},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.startCA(t)
	dir := t.TempDir()
	const template = "docs/kubernetes/components/step-renewer/connector.tpl"
	text, err := os.ReadFile(filepath.Join(l.programs.Repository(), filepath.FromSlash(template)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(template)), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, template), string(text))
	commands, _, found := strings.Cut(readGuide(t, l, "../kubernetes/README.md").block(t, "### A certificate without cert-manager", "sh"), "kubectl ")
	if !found {
		t.Fatal("the page does not make a Secret of the password")
	}
	// The administrator of the lab has its password in the environment.
	if _, err := people.SetUp(t.Context(), l.ca, dir, strings.Replace(commands, " --admin-password-file password.txt", "", 1)); err != nil {
		t.Fatal(err)
	}

	p := person.New(l.ca, l.programs.Step(), dir)
	ask := func(args ...string) process.Result {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
		defer cancel()
		result, err := p.Run(ctx, append(args, "--provisioner", "connector", "--provisioner-password-file", "password", "--force")...)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	const service, door = "step-posture-connector.step-posture-connector.svc.cluster.local", "step-posture-connector-door.step-posture-connector.svc.cluster.local"
	want := []string{service, door}
	if result := ask("ca", "certificate", service, "x509.crt", "x509.key", "--san", service, "--san", door); result.Status != 0 {
		t.Fatalf("the names of the connector: %+v", result)
	}
	cert, err := p.Read("x509.crt")
	if err != nil {
		t.Fatal(err)
	}
	if names := namesOf(cert); !slices.Equal(names, want) || cert.Subject.String() != "CN="+service || cert.IsCA {
		t.Errorf("the certificate has %s, %q, want %q", cert.Subject, names, want)
	}

	const stepCA = "step-certificates.step-ca.svc.cluster.local"
	for _, names := range [][]string{{stepCA}, {service, stepCA}, {"192.0.2.1"}, {"ada@example.com"}, {"spiffe://example.com/" + service}, {service + "."}} {
		args := []string{"ca", "certificate", service, "other.crt", "other.key"}
		for _, name := range names {
			args = append(args, "--san", name)
		}
		if result := ask(args...); result.Status == 0 {
			t.Errorf("a certificate is issued for %q", names)
		}
	}
	// The common name is not that of the request.
	if result := ask("ca", "certificate", stepCA, "other.crt", "other.key", "--san", service); result.Status == 0 {
		if cert, err := p.Read("other.crt"); err != nil || cert.Subject.CommonName != service {
			t.Errorf("the certificate has another common name: %v, %v", cert, err)
		}
	}

	shell := []string{"ssh", "certificate", "root", "ssh", "--principal", "root", "--no-password", "--insecure", "--no-agent"}
	for _, args := range [][]string{shell, append(slices.Clone(shell), "--host")} {
		if result := ask(args...); result.Status == 0 {
			t.Errorf("step %q: an SSH certificate is issued", args)
		}
	}
	// So that the refusal is known to be that of the provisioner.
	if _, err := people.SetUp(t.Context(), l.ca, dir, "step ca provisioner update connector --ssh"); err != nil {
		t.Fatal(err)
	}
	if result := ask(shell...); result.Status != 0 {
		t.Errorf("a provisioner for SSH issues no SSH certificate: %+v", result)
	}
}

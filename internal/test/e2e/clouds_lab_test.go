package e2e_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"step-posture-connector/internal/test/e2e/cloud"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/toolchain"
)

// hostTemplate is the certificate template of docs/provisioners: names and role come from the inventory, not from the request.
const hostTemplate = `{{- if not (hasKey .Webhooks "posture") }}{{ fail "there is no ENRICHING webhook named posture" }}{{ end -}}
{
  "subject": {"commonName": {{ toJson .Webhooks.posture.host }}, "organizationalUnit": {{ toJson .Webhooks.posture.role }}},
  "dnsNames": [{{ toJson .Webhooks.posture.host }}],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["serverAuth", "clientAuth"]
}`

// cloudsLab is a CA whose clouds are simulated.
type cloudsLab struct {
	*lab
	clouds *cloud.Cloud
}

func newCloudsLab(t *testing.T, programs toolchain.Toolchain) *cloudsLab {
	t.Helper()
	l := &cloudsLab{lab: &lab{programs: programs}}
	// The test's context ends before its cleanups run, and step-ca still needs the servers.
	var err error
	if l.clouds, err = cloud.Start(context.WithoutCancel(t.Context()), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.clouds.Close(); err != nil {
			t.Errorf("stop the clouds: %v", err)
		}
	})
	l.ca, err = stepca.Init(t.Context(), stepca.Config{
		StepCA: programs.StepCA(), Step: programs.Step(), Dir: t.TempDir(), RemoteManagement: true,
		InitArgs: []string{"--ssh"}, Env: l.clouds.Env(),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.startCA(t)
	return l
}

// host is a virtual machine with the step client.
type host struct {
	stepca.Client
}

// boot starts an instance.
func (l *cloudsLab) boot(t *testing.T, instance cloud.Instance) host {
	t.Helper()
	metadata, err := l.clouds.Run(context.WithoutCancel(t.Context()), instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := metadata.Close(); err != nil {
			t.Errorf("stop a metadata service: %v", err)
		}
	})
	return host{l.ca.NewClient(t.TempDir(), metadata.Env()...)}
}

// ask runs the command with which a virtual machine gets its certificate: with further arguments, for a name that it chooses.
func (h host) ask(t *testing.T, provisioner, name string, more ...string) (process.Result, *x509.Certificate) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	args := append([]string{"ca", "certificate", name, h.Path("host.crt"), h.Path("host.key"), "--provisioner", provisioner, "--force"}, more...)
	result, err := h.Step(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 0 {
		return result, nil
	}
	content, err := h.Read("host.crt")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatalf("step has written no certificate: %s", content)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return result, certificate
}

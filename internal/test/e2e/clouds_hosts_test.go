package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"step-posture-connector/internal/test/e2e/cloud"
	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// hostSSHTemplate gives an SSH host the name and the role of the inventory.
const hostSSHTemplate = `{{- if not (hasKey .Webhooks "posture") }}{{ fail "there is no ENRICHING webhook named posture" }}{{ end -}}
{
  "type": "host",
  "keyId": {{ toJson .Webhooks.posture.role }},
  "principals": [{{ toJson .Webhooks.posture.host }}]
}`

// askSSH runs the command with which a virtual machine gets its SSH host certificate.
func (h host) askSSH(t *testing.T, provisioner, name string) (process.Result, *ssh.Certificate) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	result, err := h.Step(ctx, "ssh", "certificate", name, h.Path("ssh_host"), "--host", "--provisioner", provisioner,
		"--no-password", "--insecure", "--force")
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 0 {
		return result, nil
	}
	content, err := h.Read("ssh_host-cert.pub")
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		t.Fatal(err)
	}
	certificate, ok := key.(*ssh.Certificate)
	if !ok {
		t.Fatalf("step has written a %s, want a certificate", key.Type())
	}
	return result, certificate
}

// TestCloudHosts: SSH host certificates of virtual machines. Google's principal is then the name of the instance, which another
// project may choose too, and not its ID; project and ID are in the token.
func TestCloudHosts(t *testing.T) {
	const tenant = "33333333-2222-4333-8444-555555555555"
	l := newCloudsLab(t, buildPrograms(t))
	for name, test := range map[string]struct {
		arguments []string
		instance  cloud.Instance
		query     string
		url       string
		principal string
	}{
		"gcp-ssh": {
			[]string{"--type", "GCP"},
			google(),
			"?id={{ .Token.google.compute_engine.instance_id | urlquery }}", "/?id=" + google().ID, google().Name,
		},
		"azure-ssh": {
			[]string{"--type", "Azure", "--azure-tenant", tenant},
			azure(tenant),
			"?vm={{ .KeyID | urlquery }}", "/?vm=db-1", azure("").ObjectID,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := l.startHook(t)
			arguments := append(test.arguments, "--disable-trust-on-first-use")
			if err := l.ca.AddProvisionerWith(t.Context(), name, "", hostSSHTemplate, arguments...); err != nil {
				t.Fatal(err)
			}
			l.hang(t, h, name, "SSH", "/"+test.query, stepca.Enriching)
			vm := l.boot(t, test.instance)
			h.answers(allow)
			result, certificate := vm.askSSH(t, name, "ceo.example.com")
			if certificate == nil {
				t.Fatalf("step printed %q, want a certificate", result.Stderr)
			}
			if certificate.KeyId != inventoryRole || !slices.Equal(certificate.ValidPrincipals, []string{inventoryHost}) {
				t.Errorf("the certificate has the key ID %q and principals %q, want those of the inventory", certificate.KeyId, certificate.ValidPrincipals)
			}
			calls := h.take()
			if len(calls) != 1 || calls[0].url != test.url || calls[0].body.AuthorizationPrincipal != test.principal {
				t.Fatalf("step-ca has called %d times, want once %s with the principal %q; got %q", len(calls), test.url, test.principal, calls[0].body.AuthorizationPrincipal)
			}
			if got := calls[0].body.SSHCertificateRequest.Principals; !slices.Equal(got, []string{"ceo.example.com"}) {
				t.Errorf("the request has the principals %q, want what the instance chose", got)
			}
			for sentence, answer := range map[string]bool{notThere: true, noAnswer: false} {
				h.answers(nil)
				if answer {
					h.answers(refuse)
				}
				if result, certificate := vm.askSSH(t, name, "db-1"); certificate != nil || result.Status != 1 || !strings.Contains(result.Stderr, sentence) {
					t.Errorf("step printed %q, want %q", result.Stderr, sentence)
				}
			}
		})
	}
}

// TestAWS: certificates of one's own for identity documents count only in ca.json, and webhooks that are there have no
// secret: step-ca signs with the empty key. The connector refuses that, and says what to do.
func TestAWS(t *testing.T) {
	l := newCloudsLab(t, buildPrograms(t))
	l.lab = &lab{programs: l.programs}
	l.ca = l.initCA(t, false)
	l.startCA(t)
	dir := t.TempDir()
	config := connector.Config{
		Binary: l.programs.Connector(), Dir: dir, Inventory: writeInventory(t, dir),
		Webhooks: []stepca.Credentials{{ID: webhookID, Secret: strings.Repeat("QUJD", 22)}},
	}
	var err error
	if config.Certificate, config.Key, err = l.ca.IssueServer(t.Context(), dir, stepca.EC); err != nil {
		t.Fatal(err)
	}
	var running *connector.Connector
	err = process.RetryPort(t.Context(), func(ctx context.Context, port int) error {
		config.Port = port
		running, err = connector.Start(ctx, config)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			t.Errorf("stop connector: %v", err)
		}
	})
	l.restartWithAWS(t, fmt.Sprintf("https://127.0.0.1:%d/webhook/device-attest", config.Port))
	vm := l.boot(t, cloud.Amazon{ID: "i-0abc123def4567890", Account: "123456789012", Region: "eu-central-1", PrivateIP: "10.0.0.7"})
	result, certificate := vm.ask(t, "aws", "db-1")
	expectRefusal(t, result, certificate, forbidden+"Webhook server responded with 401.")
	expectLog(t, running, "[DENY]", "401", "signed with the empty key", "step ca provisioner webhook add")
	// Trust on first use is the default: the instance has had its only chance.
	result, certificate = vm.ask(t, "aws", "db-1")
	expectRefusal(t, result, certificate, burntToken)
}

// restartWithAWS restarts the CA with an AWS provisioner in ca.json, which trusts the simulated cloud, and its webhook.
func (l *cloudsLab) restartWithAWS(t *testing.T, url string) {
	t.Helper()
	if err := l.ca.Stop(); err != nil {
		t.Fatal(err)
	}
	err := l.ca.EditConfig(func(config map[string]any) error {
		authority, ok := config["authority"].(map[string]any)
		if !ok {
			return errors.New("ca.json has no authority")
		}
		provisioners, ok := authority["provisioners"].([]any)
		if !ok {
			return errors.New("ca.json has no provisioners")
		}
		authority["provisioners"] = append(provisioners, map[string]any{
			"type": "AWS", "name": "aws", "accounts": []string{"123456789012"}, "iidRoots": l.clouds.RootsPath(),
			"options": map[string]any{"webhooks": []any{map[string]any{
				"id": webhookID, "name": "posture", "url": url, "kind": string(stepca.Enriching), "certType": "X509",
			}}},
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.ca.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.client, err = l.ca.Client(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.CloseIdleConnections)
}

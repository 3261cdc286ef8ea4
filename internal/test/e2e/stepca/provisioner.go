package stepca

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Kind is the kind of a webhook.
type Kind string

// The kinds of webhook that the connector serves.
const (
	Enriching   Kind = "ENRICHING"   // before the certificate's template runs
	Authorizing Kind = "AUTHORIZING" // after it, with the certificate to be signed
)

// KeyType is the type of a certificate's key.
type KeyType string

// The key types of server certificates.
const (
	EC  KeyType = "EC"
	RSA KeyType = "RSA"
)

// Provisioner describes an ACME provisioner that accepts Apple attestations.
type Provisioner struct {
	Name             string
	AttestationRoots []byte // PEM of the roots of device attestations
	Template         string // certificate template; empty for step-ca's own
	ForceCN          bool   // make a common name of the first DNS name
	DisableRenewal   bool
}

// Webhook describes a webhook to be added to a provisioner.
type Webhook struct {
	Name string // templates find the answer's data by this name
	URL  string
	Kind Kind
	// DisableTLSClientAuth makes the CA present no certificate to the webhook.
	DisableTLSClientAuth bool
}

// Credentials authenticate step-ca's requests.
type Credentials struct {
	ID     string
	Secret string // standard base64
}

// AddProvisioner adds an ACME provisioner: to the running CA's database, or to
// ca.json when the CA has no remote management.
func (ca *CA) AddProvisioner(ctx context.Context, p Provisioner) error {
	roots, err := ca.writeFile(p.Name+"-attestation-roots.crt", p.AttestationRoots)
	if err != nil {
		return err
	}
	args := []string{
		"ca", "provisioner", "add", p.Name, "--type", "ACME",
		"--challenge", "device-attest-01", "--attestation-format", "apple", "--attestation-roots", roots,
	}
	if p.Template != "" {
		template, err := ca.writeFile(p.Name+".tpl", []byte(p.Template))
		if err != nil {
			return err
		}
		args = append(args, "--x509-template", template)
	}
	if p.ForceCN {
		args = append(args, "--force-cn")
	}
	if p.DisableRenewal {
		args = append(args, "--disable-renewal")
	}
	_, err = ca.step(ctx, ca.asAdmin(args)...)
	return err
}

// AddWebhook adds a webhook to a provisioner of the running CA and returns the
// credentials that step-ca made for it. step-ca shows them only once.
func (ca *CA) AddWebhook(ctx context.Context, provisioner string, w Webhook) (Credentials, error) {
	args := []string{
		"ca", "provisioner", "webhook", "add", provisioner, w.Name, "--url", w.URL, "--kind", string(w.Kind),
	}
	if w.DisableTLSClientAuth {
		args = append(args, "--disable-tls-client-auth")
	}
	out, err := ca.step(ctx, ca.asAdmin(args)...)
	if err != nil {
		return Credentials{}, err
	}
	return parseCredentials(out)
}

// MoveWebhook changes the URL of a webhook, which keeps its credentials.
func (ca *CA) MoveWebhook(ctx context.Context, provisioner string, w Webhook) error {
	_, err := ca.step(ctx, ca.asAdmin([]string{
		"ca", "provisioner", "webhook", "update", provisioner, w.Name, "--url", w.URL,
	})...)
	return err
}

// RemoveWebhook removes a webhook from a provisioner of the running CA.
func (ca *CA) RemoveWebhook(ctx context.Context, provisioner, webhook string) error {
	_, err := ca.step(ctx, ca.asAdmin([]string{"ca", "provisioner", "webhook", "remove", provisioner, webhook})...)
	return err
}

// parseCredentials reads what `step ca provisioner webhook add` prints.
func parseCredentials(out string) (Credentials, error) {
	match := regexp.MustCompile(`(?m)^Webhook ID: (\S+)\nSecret: (\S+)$`).FindStringSubmatch(out)
	if match == nil {
		// The error does not quote the output, which may hold the secret.
		return Credentials{}, fmt.Errorf("step printed no webhook ID and secret in %d bytes", len(out))
	}
	return Credentials{ID: match[1], Secret: match[2]}, nil
}

// IssueServer issues a certificate of the running CA for a server on the loopback
// interface, and returns the files of the chain and of the key.
func (ca *CA) IssueServer(ctx context.Context, dir string, key KeyType) (certPath, keyPath string, err error) {
	certPath = filepath.Join(dir, "server.crt")
	keyPath = filepath.Join(dir, "server.key")
	args := []string{
		"ca", "certificate", "localhost", certPath, keyPath, "--san", "localhost", "--san", "127.0.0.1",
		"--kty", string(key), "--provisioner", admin, "--provisioner-password-file", ca.passwordPath(),
	}
	if _, err := ca.step(ctx, args...); err != nil {
		return "", "", err
	}
	return certPath, keyPath, nil
}

// RenewServer renews a certificate of the running CA in place, as the step client
// does when renewal is due; rekey also replaces the key.
func (ca *CA) RenewServer(ctx context.Context, certPath, keyPath string, rekey bool) error {
	command := "renew"
	if rekey {
		command = "rekey"
	}
	_, err := ca.step(ctx, "ca", command, certPath, keyPath, "--force")
	return err
}

// Revoke revokes a certificate of the running CA by its serial number, in decimal. With the key of any JWK provisioner, every
// serial number can be revoked.
func (ca *CA) Revoke(ctx context.Context, serial string) error {
	token, err := ca.step(ctx, "ca", "token", serial, "--revoke", "--provisioner", admin, "--provisioner-password-file", ca.passwordPath())
	if err != nil {
		return err
	}
	lines := strings.Fields(token)
	if len(lines) == 0 {
		return errors.New("step printed no token")
	}
	// The token is its last word, after messages.
	_, err = ca.step(ctx, "ca", "revoke", serial, "--token", lines[len(lines)-1])
	return err
}

// asAdmin adds the administrator's credentials, which only a CA with remote
// management needs.
func (ca *CA) asAdmin(args []string) []string {
	if !ca.config.RemoteManagement {
		return append(args, "--ca-config", ca.configPath())
	}
	return append(args,
		"--admin-subject", "step", "--admin-provisioner", admin, "--admin-password-file", ca.passwordPath())
}

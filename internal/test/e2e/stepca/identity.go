package stepca

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"step-posture-connector/internal/test/e2e/process"
)

// The kinds of webhook of SCEP provisioners beside Enriching and Authorizing.
const (
	SCEPChallenge Kind = "SCEPCHALLENGE" // decides whether a challenge is good
	Notifying     Kind = "NOTIFYING"     // hears what came of a request
)

// AddProvisionerWith adds a provisioner to the CA with arguments of step ca provisioner add. Templates are empty for
// step-ca's own.
func (ca *CA) AddProvisionerWith(ctx context.Context, name, x509Template, sshTemplate string, args ...string) error {
	args = append([]string{"ca", "provisioner", "add", name}, args...)
	for flag, template := range map[string]string{"--x509-template": x509Template, "--ssh-template": sshTemplate} {
		if template == "" {
			continue
		}
		path, err := ca.writeFile(name+flag+".tpl", []byte(template))
		if err != nil {
			return err
		}
		args = append(args, flag, path)
	}
	_, err := ca.step(ctx, ca.asAdmin(args)...)
	return err
}

// AddWebhookFor adds a webhook of a kind for certificates of a type: X509, SSH or ALL.
func (ca *CA) AddWebhookFor(ctx context.Context, provisioner, certType string, w Webhook) (Credentials, error) {
	out, err := ca.step(ctx, ca.asAdmin([]string{
		"ca", "provisioner", "webhook", "add", provisioner, w.Name,
		"--url", w.URL, "--kind", string(w.Kind), "--cert-type", certType,
	})...)
	if err != nil {
		return Credentials{}, err
	}
	return parseCredentials(out)
}

// Restart stops the running CA, and starts it on another port. A CA serves SCEP only when it had a provisioner of that
// type as it started.
func (ca *CA) Restart(ctx context.Context) error {
	if err := ca.Stop(); err != nil {
		return fmt.Errorf("stop step-ca: %w", err)
	}
	return ca.Start(ctx)
}

// SCEPURL is where a SCEP provisioner of the running CA answers.
func (ca *CA) SCEPURL(provisioner string) string { return ca.URL() + "/scep/" + provisioner }

// IssueDecrypter issues an RSA certificate with which a SCEP provisioner decrypts requests, and returns the files of the
// certificate and the key. A CA whose intermediate has an EC key needs one.
func (ca *CA) IssueDecrypter(ctx context.Context, dir string) (certPath, keyPath string, err error) {
	certPath, keyPath = filepath.Join(dir, "decrypter.crt"), filepath.Join(dir, "decrypter.key")
	_, err = ca.step(ctx, "certificate", "create", "SCEP decrypter", certPath, keyPath,
		"--kty", "RSA", "--not-after", "24h", "--no-password", "--insecure",
		"--ca", ca.IssuerPath(),
		"--ca-key", filepath.Join(ca.config.Dir, "secrets", "intermediate_ca_key"),
		"--ca-password-file", ca.passwordPath())
	return certPath, keyPath, err
}

// Client is what a host has of the step client: a folder of its own, the CA's address and its root.
type Client struct {
	ca  *CA
	dir string
	env []string
}

// NewClient makes a client in an existing, empty folder, with further variables, such as a proxy's.
func (ca *CA) NewClient(dir string, env ...string) Client { return Client{ca, dir, env} }

// Path is the path of a file in the client's folder.
func (c Client) Path(name string) string { return filepath.Join(c.dir, name) }

// Read reads a file in the client's folder.
func (c Client) Read(name string) ([]byte, error) {
	content, err := os.ReadFile(c.Path(name))
	if err != nil {
		return nil, fmt.Errorf("read what the client has got: %w", err)
	}
	return content, nil
}

// Step runs a command of the step client as the host does, with any exit code.
func (c Client) Step(ctx context.Context, args ...string) (process.Result, error) {
	env := append([]string{
		"HOME=" + c.dir, "STEPPATH=" + c.dir, "STEP_CA_URL=" + c.ca.URL(), "STEP_ROOT=" + c.ca.RootPath(),
	}, c.env...)
	return process.Finish(ctx, process.Spec{Path: c.ca.config.Step, Args: args, Dir: c.dir, Env: env})
}

package stepca

import "context"

// TokenProvisioner describes a provisioner whose clients show a token: of an identity provider (OIDC), of the holder of a key
// (JWK) or of the holder of a certificate (X5C).
type TokenProvisioner struct {
	Name string
	Args []string // of step ca provisioner add, such as --type OIDC
	// X509Template and SSHTemplate are certificate templates; empty for step-ca's own.
	X509Template, SSHTemplate string
}

// AddTokenProvisioner adds a provisioner to the running CA.
func (ca *CA) AddTokenProvisioner(ctx context.Context, p TokenProvisioner) error {
	args := append([]string{"ca", "provisioner", "add", p.Name}, p.Args...)
	templates := []struct{ flag, content string }{{"--x509-template", p.X509Template}, {"--ssh-template", p.SSHTemplate}}
	for _, template := range templates {
		if template.content == "" {
			continue
		}
		path, err := ca.writeFile(p.Name+template.flag+".tpl", []byte(template.content))
		if err != nil {
			return err
		}
		args = append(args, template.flag, path)
	}
	_, err := ca.step(ctx, ca.asAdmin(args)...)
	return err
}

// AddTokenWebhook adds a webhook for certificates of a type, X509 or SSH, to a provisioner of the running CA.
func (ca *CA) AddTokenWebhook(ctx context.Context, provisioner, certType string, w Webhook) (Credentials, error) {
	out, err := ca.step(ctx, ca.asAdmin([]string{
		"ca", "provisioner", "webhook", "add", provisioner, w.Name,
		"--url", w.URL, "--kind", string(w.Kind), "--cert-type", certType,
	})...)
	if err != nil {
		return Credentials{}, err
	}
	return parseCredentials(out)
}

// Password is the file of the password of the CA's keys, those of JWK provisioners included.
func (ca *CA) Password() string { return ca.passwordPath() }

// Package person is a person at a terminal, who gets certificates with the step client.
package person

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
)

// Person is somebody with a folder, which has the certificates and keys.
type Person struct {
	ca   *stepca.CA
	step string
	dir  string
}

// New makes a person who uses the step client at the path step; dir is an existing folder.
func New(ca *stepca.CA, step, dir string) *Person { return &Person{ca, step, dir} }

// Run runs a command of the step client, with any exit code.
func (p *Person) Run(ctx context.Context, args ...string) (process.Result, error) {
	return process.Finish(ctx, process.Spec{Path: p.step, Args: args, Dir: p.dir, Env: p.Environment()})
}

// Environment is that of a terminal after step ca bootstrap.
func (p *Person) Environment() []string {
	return []string{"HOME=" + p.dir, "STEPPATH=" + p.dir, "STEP_CA_URL=" + p.ca.URL(), "STEP_ROOT=" + p.ca.RootPath()}
}

// Path is the path of a file in the person's folder.
func (p *Person) Path(name string) string { return filepath.Join(p.dir, name) }

// Certificate runs step ca certificate with a token. The certificate is nil when the command failed; the result then has
// what it printed.
func (p *Person) Certificate(ctx context.Context, subject, token string) (*x509.Certificate, process.Result, error) {
	const file = "x509.crt"
	result, err := p.Run(ctx, "ca", "certificate", subject, file, "x509.key", "--token", token, "--force")
	if err != nil || result.Status != 0 {
		return nil, result, err
	}
	certificate, err := p.Read(file)
	return certificate, result, err
}

// Read reads the first certificate of a file in the person's folder.
func (p *Person) Read(file string) (*x509.Certificate, error) {
	content, err := os.ReadFile(p.Path(file))
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errors.New("read certificate: no PEM in " + file)
	}
	return x509.ParseCertificate(block.Bytes)
}

// SSHCertificate runs step ssh certificate with a token and further arguments. The certificate is nil when the command failed.
func (p *Person) SSHCertificate(ctx context.Context, keyID, token string, more ...string) (*ssh.Certificate, process.Result, error) {
	args := append([]string{
		"ssh", "certificate", keyID, "ssh", "--token", token, "--no-password", "--insecure", "--no-agent", "--force",
	}, more...)
	result, err := p.Run(ctx, args...)
	if err != nil || result.Status != 0 {
		return nil, result, err
	}
	certificate, err := p.ReadSSH()
	return certificate, result, err
}

// ReadSSH reads the SSH certificate in the person's folder.
func (p *Person) ReadSSH() (*ssh.Certificate, error) {
	content, err := os.ReadFile(p.Path("ssh-cert.pub"))
	if err != nil {
		return nil, fmt.Errorf("read SSH certificate: %w", err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil, fmt.Errorf("parse SSH certificate: %w", err)
	}
	certificate, ok := key.(*ssh.Certificate)
	if !ok {
		return nil, errors.New("the file has a key and no certificate")
	}
	return certificate, nil
}

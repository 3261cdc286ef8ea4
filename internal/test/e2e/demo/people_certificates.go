package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// What a person types, without the flags that make the commands run unattended.
const (
	x509Command = "step ca certificate %s x509.crt x509.key --provisioner people"
	sshCommand  = "step ssh certificate %s ssh --provisioner people"

	// What the client and the log of step-ca say of a certificate that is not renewed.
	unauthorized    = "The request lacked necessary authorization to be completed."
	renewalDisabled = "renew is disabled for provisioner"

	departmentExtension = "department@example.com"

	// validity is what the page's provisioner gives; step-ca lets certificates begin a little earlier, for clocks that are slow.
	validity = 24 * time.Hour
	backdate = time.Minute
)

func showCommand(out io.Writer, command, who string) {
	fmt.Fprintf(out, "     $ "+command+"\n", who)
}

// issueX509 wants an X.509 certificate for Ada, and shows it.
func (s *setup) issueX509(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	token, err := s.login(ada)
	if err != nil {
		return err
	}
	cert, result, err := s.people.person.Certificate(ctx, ada, token)
	if err != nil {
		return err
	}
	if cert == nil {
		return fmt.Errorf("%s got no certificate: %s\n%s", ada, result.Stderr, s.guard.Log())
	}
	if cert.Subject.CommonName != ada || !slices.Equal(cert.Subject.OrganizationalUnit, []string{adaDepartment}) ||
		!slices.Equal(cert.EmailAddresses, []string{ada}) {
		return fmt.Errorf("the certificate lacks Ada's data: subject %q, e-mail %q", cert.Subject, cert.EmailAddresses)
	}
	if err := checkValidity(cert.NotBefore, cert.NotAfter); err != nil {
		return err
	}
	showCommand(out, x509Command, ada)
	fmt.Fprintf(out, "   => ISSUED:\n")
	fmt.Fprintf(out, "     subject     %s\n", cert.Subject)
	fmt.Fprintf(out, "     names       e-mail %s\n", cert.EmailAddresses[0])
	showValidity(out, cert.NotAfter)
	return nil
}

// issueSSH wants an SSH certificate for Ada, and shows it.
func (s *setup) issueSSH(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	token, err := s.login(ada)
	if err != nil {
		return err
	}
	cert, result, err := s.people.person.SSHCertificate(ctx, ada, token)
	if err != nil {
		return err
	}
	if cert == nil {
		return fmt.Errorf("%s got no SSH certificate: %s\n%s", ada, result.Stderr, s.guard.Log())
	}
	if cert.CertType != ssh.UserCert || cert.KeyId != ada || !slices.Equal(cert.ValidPrincipals, []string{adaLogin}) ||
		cert.Extensions[departmentExtension] != adaDepartment {
		return fmt.Errorf("the SSH certificate lacks Ada's data: key ID %q, principals %q, extensions %q", cert.KeyId, cert.ValidPrincipals, cert.Extensions)
	}
	if cert.ValidAfter > math.MaxInt64 || cert.ValidBefore > math.MaxInt64 {
		return fmt.Errorf("the SSH certificate counts from %d until %d, want times", cert.ValidAfter, cert.ValidBefore)
	}
	end := time.Unix(int64(cert.ValidBefore), 0)
	if err := checkValidity(time.Unix(int64(cert.ValidAfter), 0), end); err != nil {
		return err
	}
	showCommand(out, sshCommand, ada)
	fmt.Fprintf(out, "   => ISSUED:\n")
	fmt.Fprintf(out, "     key ID      %s\n", cert.KeyId)
	fmt.Fprintf(out, "     principals  %s\n", strings.Join(cert.ValidPrincipals, ", "))
	fmt.Fprintf(out, "     extension   %s: %s\n", departmentExtension, cert.Extensions[departmentExtension])
	showValidity(out, end)
	return nil
}

func checkValidity(begin, end time.Time) error {
	if lasts := end.Sub(begin); lasts < validity || lasts > validity+backdate {
		return fmt.Errorf("the certificate counts for %s, want %s and at most %s more", lasts, validity, backdate)
	}
	return nil
}

func showValidity(out io.Writer, end time.Time) {
	fmt.Fprintf(out, "     valid       24 hours, until %s\n", end.UTC().Format(time.RFC3339))
}

// refuseRenewal wants that step-ca does not renew Ada's certificate.
func (s *setup) refuseRenewal(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	result, err := s.people.person.Run(ctx, "ca", "renew", "x509.crt", "x509.key", "--force")
	if err != nil {
		return err
	}
	answer := lineWith(result.Stderr, unauthorized)
	if result.Status == 0 || answer == "" {
		return fmt.Errorf("step-ca must not renew, and the client printed: %s%s", result.Stdout, result.Stderr)
	}
	if err := s.ca.AwaitLog(ctx, renewalDisabled); err != nil {
		return err
	}
	fmt.Fprintf(out, "     $ step ca renew x509.crt x509.key\n")
	fmt.Fprintf(out, "   => DENIED, because the provisioner was added with --disable-renewal:\n     %s\n", answer)
	return nil
}

// lineWith returns the line of a text that has a part, from that part on; the client colors what is before it.
func lineWith(text, part string) string {
	_, rest, found := strings.Cut(text, part)
	if !found {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "\n")
	return strings.TrimSpace(part + rest)
}

package webhook

import (
	"slices"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// exchange is a request whose signature was verified, on its way through the steps.
type exchange struct {
	at    *endpoint
	hook  *hook
	body  *requestBody
	raw   []byte // the body, in JSON
	parts *parts // nil at the path of attested requests
	query string // raw
	// request is what rules may know of it.
	request *posture.Request
	event   *audit.Event
	// deviceType is the one that the URL names.
	deviceType posture.DeviceType
	id         posture.Identifier

	tokens *enroll.Tokens // nil where no policy requires one
	ticket ticket
}

func unexpected(format string, args ...any) *Problem {
	return problemf(codeRequestUnexpected, format, args...)
}

// admit checks, in this order, that the webhook calls the path that is its own, that the body is one that it sends, and that
// the query has the parameters that it declares.
func (c *exchange) admit() *Problem {
	accepted := c.hook.accepted()
	if !slices.Contains(c.at.accepts, accepted[0]) {
		return unexpected("the webhook accepts %s, whose path is %s, and calls %s", accepted[0], PathOf(accepted[0]), c.at.path)
	}
	if c.at.fits == nil {
		return nil
	}
	if p := c.fits(); p != nil {
		return p
	}
	return c.readQuery()
}

// fits checks what all bodies but attested ones have in common.
func (c *exchange) fits() *Problem {
	var p *Problem
	if c.parts, p = c.body.readParts(); p != nil {
		return p
	}
	if c.body.AttestationData != nil {
		return unexpected("the body has attestationData: an order with device attestation belongs to a webhook that accepts attested, at %s", AttestPath)
	}
	if p := c.at.fits(c); p != nil {
		return p
	}
	return c.fitsProvisioner()
}

// fitsProvisioner compares the body with the provisioner that the policy file names.
func (c *exchange) fitsProvisioner() *Problem {
	name, of := c.body.ProvisionerName, c.hook.ProvisionerType
	if c.hook.ProvisionerName != "" && name != "" && name != c.hook.ProvisionerName {
		return unexpected("the provisioner is %q, and the policy file has %q for the webhook", name, c.hook.ProvisionerName)
	}
	if of == "" {
		return nil
	}
	clouds := []string{"AWS", "GCP", "Azure"}
	isCloud, isX5C := slices.Contains(clouds, of), of == "X5C"
	switch {
	case (c.parts.x5c != nil) != isX5C:
		return unexpected("the policy file has a provisioner of the type %s for the webhook, and the body is not of that type: x5cCertificate", of)
	case c.parts.principal != "" && !isCloud && !isX5C, c.parts.principal == "" && isCloud:
		return unexpected("the policy file has a provisioner of the type %s for the webhook, and the body is not of that type: authorizationPrincipal", of)
	}
	return nil
}

// isSCEPStep reports whether a body has what only challenges and notifications of SCEP have.
func (c *exchange) isSCEPStep() bool {
	return isSet(c.body.SCEPTransactionID) || isSet(c.body.SCEPChallenge) || isSet(c.body.SCEPErrorCode) || isSet(c.body.SCEPErrorDescription)
}

const scepStep = "the body is a challenge or a notification of SCEP, which belong to webhooks that accept scep_challenge and scep_notification"

func fitsX509(c *exchange) *Problem {
	switch {
	case c.isSCEPStep():
		return unexpected(scepStep)
	case isSet(c.body.SSHCertificateRequest) || isSet(c.body.SSHCertificate):
		return unexpected("the body is about an SSH certificate, which belongs to a webhook that accepts ssh_user or ssh_host, at %s; give the webhook in step-ca the certType X509", SSHPath)
	}
	return c.fitsKind(c.body.X509CertificateRequest != nil)
}

func fitsSSH(c *exchange) *Problem {
	switch {
	case c.isSCEPStep():
		return unexpected(scepStep)
	case c.parts.ssh == nil:
		return unexpected("the body is about an X.509 certificate, which belongs to a webhook that accepts x509, at %s; give the webhook in step-ca the certType SSH", CertificatePath)
	case c.sshAccepts() == "":
		return unexpected("the body is about an SSH certificate of the type %q, and the webhook accepts %s", c.parts.ssh.Type, words(c.hook.Accepts))
	}
	return c.fitsKind(isSet(c.body.SSHCertificateRequest))
}

// sshAccepts is what the SSH certificate is in words of Accepts, or "" where the webhook does not accept it.
func (c *exchange) sshAccepts() posture.Accepts {
	a := map[string]posture.Accepts{"user": posture.SSHUser, "host": posture.SSHHost}[c.parts.ssh.Type]
	if !slices.Contains(c.hook.Accepts, a) {
		return ""
	}
	return a
}

func (c *exchange) fitsKind(enriching bool) *Problem {
	kind := posture.Authorizing
	if enriching {
		kind = posture.Enriching
	}
	if c.hook.Kind != "" && c.hook.Kind != kind {
		return unexpected("the body is of the kind %s, and the policy file has kind: %s for the webhook", strings.ToUpper(kind), c.hook.Kind)
	}
	return nil
}

func fitsSCEPChallenge(c *exchange) *Problem {
	switch {
	case c.body.X509CertificateRequest == nil || c.body.X509Certificate != nil || c.parts.errorDescription != "" || c.parts.errorCode != 0:
		return unexpected("the body is not a SCEP challenge: the kind of the webhook in step-ca must be SCEPCHALLENGE")
	case c.parts.transactionID == "":
		return unexpected("the body has no scepTransactionID, so that it is not a SCEP challenge: the kind of the webhook in step-ca must be SCEPCHALLENGE")
	}
	return nil
}

func fitsSCEPNotification(c *exchange) *Problem {
	isChallenge := isSet(c.body.SCEPChallenge)
	issued, failed := c.body.X509Certificate != nil, c.parts.errorDescription != "" || c.parts.errorCode != 0
	if c.parts.transactionID == "" || isChallenge || c.body.X509CertificateRequest == nil || issued == failed {
		return unexpected("the body is not a notification of SCEP: the kind of the webhook in step-ca must be NOTIFYING")
	}
	return nil
}

func words(all []posture.Accepts) string {
	texts := make([]string, len(all))
	for i, a := range all {
		texts[i] = string(a)
	}
	return strings.Join(texts, " and ")
}

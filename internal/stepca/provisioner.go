package stepca

import (
	"slices"
	"strings"
)

// Provisioner is what the check reads of a provisioner. The answer has more, and some of it is secret, such as the client
// secret of an OIDC provisioner: it is not decoded, so that no line can show it.
type Provisioner struct {
	Type               string   `json:"type"`
	Name               string   `json:"name"`
	Claims             Claims   `json:"claims"`
	Options            Options  `json:"options"`
	Challenges         []string `json:"challenges"`
	AttestationFormats []string `json:"attestationFormats"`
	Admins             []string `json:"admins"`
	// Only the types with trust on first use have it; false where step-ca leaves it out.
	DisableTrustOnFirstUse bool `json:"disableTrustOnFirstUse"`
}

// Claims are those of the provisioner itself; nil where it takes the default of the CA, which step-ca does not show.
type Claims struct {
	DisableRenewal          *bool `json:"disableRenewal"`
	AllowRenewalAfterExpiry *bool `json:"allowRenewalAfterExpiry"`
	EnableSSHCA             *bool `json:"enableSSHCA"`
}

// Options have the webhooks of a provisioner.
type Options struct {
	Webhooks []Hook `json:"webhooks"`
}

// Hook is a webhook as step-ca has it; its secret is not shown.
type Hook struct {
	ID                   string `json:"id"`
	Name                 string `json:"name"`
	URL                  string `json:"url"`
	Kind                 string `json:"kind"`
	CertType             string `json:"certType"`
	DisableTLSClientAuth bool   `json:"disableTLSClientAuth"`
}

// The kinds of webhooks that step-ca does not ask before it signs, as it writes them.
const (
	Challenge    = "SCEPCHALLENGE"
	Notification = "NOTIFYING"
)

// The other kinds, and certificate types of webhooks, and types of provisioners, as step-ca writes them.
const (
	enriching   = "ENRICHING"
	authorizing = "AUTHORIZING"

	onlyX509 = "X509"
	onlySSH  = "SSH"

	typeACME   = "ACME"
	typeSCEP   = "SCEP"
	typeSSHPOP = "SSHPOP"
	typeOIDC   = "OIDC"

	deviceAttest = "device-attest-01"
)

// is compares as step-ca does: types may have any case.
func (p Provisioner) is(types ...string) bool {
	return slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(p.Type, t) })
}

// signsSSH reports whether the type can issue SSH certificates.
func (p Provisioner) signsSSH() bool { return !p.is(typeACME, typeSCEP, typeSSHPOP) }

func (p Provisioner) String() string {
	return "provisioner " + quote(p.Name) + " (" + show(p.Type) + ")"
}

// hasNoX509 and hasNoSSH report which certificates a webhook is not asked about.
func (h Hook) hasNoX509() bool { return h.CertType == onlySSH }
func (h Hook) hasNoSSH() bool  { return h.CertType == onlyX509 }

// signs reports whether it is asked before a certificate is signed.
func (h Hook) signs() bool { return h.Kind == enriching || h.Kind == authorizing }

func isTrue(claim *bool) bool { return claim != nil && *claim }

package stepca

import (
	"slices"
	"strings"
)

// renewal reports that certificates can be renewed: step-ca asks no webhook then. One of SCEP can be renewed by SCEP only.
func (c *checker) renewal(p Provisioner) {
	const remedy = "step-ca asks no webhook then; close it with step ca provisioner update --disable-renewal"
	switch {
	case p.is(typeSCEP) || isTrue(p.Claims.DisableRenewal):
		return
	case p.Claims.DisableRenewal == nil:
		c.warn(p, "its certificates can be renewed, unless disableRenewal is true in authority.claims of ca.json, which step-ca does not show. %s", remedy)
	default:
		c.warn(p, "its certificates can be renewed. %s", remedy)
	}
	if isTrue(p.Claims.AllowRenewalAfterExpiry) {
		c.warn(p, "it also renews certificates that have expired: switch allowRenewalAfterExpiry off")
	}
}

// sshpop reports provisioners with which hosts renew their SSH certificates. disableRenewal does not close /ssh/rekey.
func (c *checker) sshpop(provisioners []Provisioner) {
	hosts := slices.ContainsFunc(c.places, func(at place) bool { return at.own.Host })
	for _, p := range provisioners {
		if !hosts || !p.is(typeSSHPOP) {
			continue
		}
		how := "renew and rekey"
		if isTrue(p.Claims.DisableRenewal) {
			how = "rekey, in spite of disableRenewal,"
		}
		c.warn(p, "hosts %s their SSH certificates with it, and step-ca asks no webhook then; remove the provisioner to close it", how)
	}
}

// trust reports what a provisioner accepts that makes the connector's answer worth less.
func (c *checker) trust(p Provisioner, places []place) {
	switch {
	case p.is("AWS", "GCP", "Azure") && !p.DisableTrustOnFirstUse:
		c.warn(p, "it has trust on first use: after one refusal, or one fault, the instance never gets a certificate; close it with step ca provisioner update --disable-trust-on-first-use")
	case p.is(typeOIDC) && len(p.Admins) > 0:
		c.warn(p, "it has admins: an admin gets a certificate with any names, and a request does not say that it is an admin's; identify them by .Token in the URL, and compare the names of the final certificate")
	case p.is("K8sSA") && !slices.ContainsFunc(places, func(at place) bool { return strings.Contains(at.hook.URL, ".Token") }):
		c.warn(p, "a token of any service account of the cluster is enough, and may be used again; no request says which one: let the URL name it, {{ index .Token \"kubernetes.io/serviceaccount/namespace\" | urlquery }}")
	case p.is(typeSCEP):
		c.scep(p, places)
	case p.is(typeACME):
		c.attestation(p, places)
	}
}

// scep reports that nobody checks the challenge. Whoever knows a static one may write any name into the request.
func (c *checker) scep(p Provisioner, places []place) {
	if !slices.ContainsFunc(places, func(at place) bool { return at.hook.Kind == Challenge }) {
		c.warn(p, "no SCEPCHALLENGE webhook of the connector is here: everyone who knows the provisioner's challenge may write any name into a request")
	}
}

// attestation reports what an ACME provisioner accepts beside one attestation format. A request does not say which it was.
func (c *checker) attestation(p Provisioner, places []place) {
	if !slices.ContainsFunc(places, func(at place) bool { return at.own.Attested }) {
		return
	}
	formats := p.AttestationFormats
	switch {
	case !slices.Contains(p.Challenges, deviceAttest):
		c.warn(p, "it does not have the challenge %s, so no device can attest: each request is refused; close it with step ca provisioner update --challenge %s", deviceAttest, deviceAttest)
		return
	case len(formats) == 0:
		c.warn(p, "it accepts each attestation format, and a request does not say which it was: a YubiKey or a TPM may claim the serial number of a Mac; set --attestation-format")
	case len(formats) > 1:
		c.warn(p, "it accepts the attestation formats %s, and a request does not say which it was: use a provisioner for each", shownList(formats))
	}
	if others := slices.DeleteFunc(slices.Clone(p.Challenges), func(s string) bool { return s == deviceAttest }); len(others) > 0 {
		c.warn(p, "it accepts %s beside %s; orders with those have no attestation, and are refused: use a provisioner for each", shownList(others), deviceAttest)
	}
}

func shownList(names []string) string {
	const most = 8
	shown := make([]string, 0, most)
	for i, name := range names {
		if i == most {
			return strings.Join(shown, ", ") + " and more"
		}
		shown = append(shown, show(name))
	}
	return strings.Join(shown, ", ")
}

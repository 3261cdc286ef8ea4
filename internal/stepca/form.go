package stepca

import (
	"slices"
	"strings"
)

// form compares how step-ca calls a webhook with what the configuration says of it.
func (c *checker) form(at place) {
	c.kind(at)
	c.certType(at)
	own, p := at.own, at.provisioner
	if path := at.address.path; !at.address.broken && path != own.Path {
		c.warn(at, "its URL has the path %s; what it accepts is served at %s, so each request is refused", quote(strings.ReplaceAll(path, gap, "{{…}}")), own.Path)
	}
	if own.ProvisionerType != "" && !p.is(own.ProvisionerType) {
		c.warn(at, "the configuration says that it belongs to a provisioner of the type %s", quote(own.ProvisionerType))
	}
	if own.ProvisionerName != "" && p.Name != own.ProvisionerName {
		c.warn(at, "the configuration says that it belongs to the provisioner %s", quote(own.ProvisionerName))
	}
	if at.hook.DisableTLSClientAuth {
		c.warn(at, "it has --disable-tls-client-auth: step-ca shows no client certificate, and trusts only public CAs; remove it with step ca provisioner webhook update")
	}
}

// kind compares the kind with what is accepted.
func (c *checker) kind(at place) {
	kind, own := at.hook.Kind, at.own
	switch {
	case own.Kind != "" && kind != own.Kind:
		c.warn(at, "it is %s in step-ca, and the configuration needs %s", show(kind), own.Kind)
	case own.Signs != at.hook.signs():
		c.warn(at, "it is %s in step-ca, which does not fit what it accepts: each request is refused", show(kind))
	case !own.Signs && !at.provisioner.is(typeSCEP):
		c.warn(at, "only a provisioner of the type SCEP calls a webhook of the kind %s", show(kind))
	}
}

// certType compares the type of certificates that it is asked about.
func (c *checker) certType(at place) {
	own, hook, p := at.own, at.hook, at.provisioner
	switch {
	case !own.Signs:
	case own.SSH && (hook.hasNoSSH() || !p.signsSSH()):
		c.warn(at, "it accepts SSH certificates, and is never asked about one; it needs the certificate type SSH, at a provisioner that signs them")
	case own.SSH && !hook.hasNoX509():
		c.warn(at, "it accepts SSH certificates, and is asked about X.509 certificates too, which it refuses; give it the certificate type SSH")
	case !own.SSH && hook.hasNoX509():
		c.warn(at, "it accepts X.509 certificates, and is never asked about one: its certificate type is SSH")
	case !own.SSH && !hook.hasNoSSH() && p.signsSSH() && slices.ContainsFunc(c.at(p), func(other place) bool { return other.own.SSH }):
		c.warn(at, "it accepts X.509 certificates, and is asked about SSH certificates too, which it refuses, so that none is issued; give it the certificate type X509")
	case own.Attested && !p.is(typeACME):
		c.warn(at, "it accepts attested devices, which only a provisioner of the type ACME has: each request is refused")
	}
}

// params compares the parameters of the URL with those of the configuration.
func (c *checker) params(at place) {
	a, own := at.address, at.own
	if a.broken {
		return
	}
	if !own.Signs && a.actions > 0 {
		c.warn(at, "step-ca fills no action in the URL of a webhook of the kind %s, so it sends <no value>; remove the actions", show(at.hook.Kind))
	}
	if own.Params == nil {
		return
	}
	seen := map[string]bool{}
	for _, name := range a.params {
		shown := quote(strings.ReplaceAll(name, gap, "{{…}}"))
		switch {
		case seen[name]:
			c.warn(at, "its URL has the parameter %s twice: each request is refused", shown)
		case !slices.Contains(own.Params, name):
			c.warn(at, "its URL has the parameter %s, which params does not list: each request is refused", shown)
		}
		seen[name] = true
	}
	for _, name := range own.Params {
		if !seen[name] {
			c.warn(at, "its URL does not have the parameter %s, which params lists: each request is refused", quote(name))
		}
	}
}

// authorizing reports a policy with rules about the final certificate, or with an enrolment token, where nobody asks about one of
// the two forms of a request. signing are the webhooks of ours that the provisioner asks before it signs.
func (c *checker) authorizing(p Provisioner, signing []place) {
	done := map[string]bool{}
	for _, at := range signing {
		key := at.own.Policy
		if done[key] {
			continue
		}
		done[key] = true
		has := func(kind string) bool {
			return slices.ContainsFunc(signing, func(other place) bool {
				return other.hook.Kind == kind && other.own.Policy == key && covers(other.hook, at.hook)
			})
		}
		if at.own.NeedsAuthorizing && !has(authorizing) {
			c.warn(p, "the policy %s has rules for AUTHORIZING, and no AUTHORIZING webhook here has this policy: nobody checks the names of the final certificate", quote(key))
		}
		if at.own.Token && !has(authorizing) {
			c.warn(p, "the policy %s requires an enrolment token, and no AUTHORIZING webhook here has this policy: nobody sees whether the certificate shows the token", quote(key))
		}
		if at.own.Token && !has(enriching) {
			c.warn(p, "the policy %s requires an enrolment token, and no ENRICHING webhook here has this policy: nobody gets the token, so that nothing is issued", quote(key))
		}
	}
}

// covers reports whether a webhook is asked about all certificates that another one is asked about.
func covers(hook, other Hook) bool {
	return (!hook.hasNoX509() || other.hasNoX509()) && (!hook.hasNoSSH() || other.hasNoSSH())
}

// coverage reports certificates that a provisioner signs although no webhook of ours is asked.
func (c *checker) coverage(p Provisioner, signing []place) {
	if len(signing) == 0 || !p.signsSSH() {
		return
	}
	if isTrue(p.Claims.EnableSSHCA) && !slices.ContainsFunc(signing, func(at place) bool { return !at.hook.hasNoSSH() }) {
		c.warn(p, "if the CA signs SSH certificates, this provisioner does so without asking: its webhooks of the connector have the certificate type X509; add one for SSH, or switch SSH off (--ssh=false)")
	}
	if !slices.ContainsFunc(signing, func(at place) bool { return !at.hook.hasNoX509() }) {
		c.warn(p, "it signs X.509 certificates without asking: its webhooks of the connector have the certificate type SSH; add one for X509")
	}
}

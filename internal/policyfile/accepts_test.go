package policyfile_test

import (
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/policyfile"
)

// An identifier that the client may choose, names that nobody compares, and a token that nobody can redeem are accepted, with a
// warning. What is compared by a rule, or vouched for by the CA, has none.
func TestWarningsOfWebhooks(t *testing.T) {
	t.Parallel()
	const compared = "policies:\n  default:\n    rules: [{name: named, require: 'request.names.all(n, n == request.principal)'}]\n"
	const free = "policies:\n  default: {}\n"
	const token = "policies:\n  default: {token: {required: true}}\n"
	const alone = "webhooks[0].policy: the policy default requires an enrolment token, and no webhook with this policy sends the CSR that carries it: ENRICHING is missing, and every request is refused"
	const names = "webhooks[0].policy: no rule of the policy default reads request.certificate or request.names, so that the certificate may bear any name that the client asks for"
	chosen := func(path, why string) string {
		return "webhooks[0].identify: " + path + ": " + why + ", and no rule of the policy default compares it"
	}
	for name, c := range map[string]struct {
		policy, webhook string
		want            []string // without places
	}{
		"vouched for":         {compared, "accepts: x509, identify: request.principal, provisioner: {type: X5C}", nil},
		"no principal":        {strings.ReplaceAll(compared, "request.principal", `"x"`), "accepts: x509, identify: request.principal, provisioner: {type: OIDC}", []string{chosen("request.principal", "a provisioner of the type OIDC sends none")}},
		"no x5c":              {compared, "accepts: x509, identify: request.x5c.common_name, provisioner: {type: JWK}", []string{chosen("request.x5c.common_name", "a provisioner of the type JWK sends none")}},
		"CSR":                 {compared, "accepts: x509, identify: request.csr.common_name", []string{chosen("request.csr.common_name", "the client chooses it")}},
		"CSR of JWK":          {compared, "accepts: x509, identify: request.csr.common_name, provisioner: {type: JWK}", nil},
		"certificate":         {compared, "accepts: x509, identify: request.certificate.common_name, provisioner: {type: K8sSA}", []string{chosen("request.certificate.common_name", "with a provisioner of the type K8sSA the client chooses it")}},
		"no rule over names":  {free, "accepts: x509, identify: request.principal", []string{names}},
		"no rule, SSH":        {free, "accepts: ssh_host, identify: request.principal", []string{"webhooks[0].policy: no rule of the policy default reads request.ssh or request.names, so that the certificate may bear any name that the client asks for"}},
		"challenges":          {token, "accepts: scep_challenge", nil},
		"challenges of SCEP":  {token, "accepts: scep_challenge, provisioner: {type: SCEP}", nil},
		"token, AUTHORIZING":  {token, "kind: authorizing", []string{alone}},
		"token, X.509":        {token, "accepts: x509, kind: authorizing, identify: request.x5c.common_name", []string{names, alone}},
		"token, both kinds":   {token, "accepts: attested", nil},
		"device attestation":  {free, "accepts: attested", nil},
		"compared by a rule":  {strings.ReplaceAll(compared, "request.principal", "request.ssh.key_id"), "accepts: ssh_user, identify: request.ssh.key_id", nil},
		"SSH key ID, no rule": {compared, "accepts: ssh_user, identify: request.ssh.key_id", []string{chosen("request.ssh.key_id", "the client chooses it")}},
	} {
		path, s := surrounded(t, c.policy+"webhooks:\n  - {name: w, id: 22222222-2222-4222-8222-222222222222, secret: {env: NEW}, policy: default, "+c.webhook+"}\n")
		s.WebhookIDs = nil // they send both kinds
		f, err := policyfile.Load(path, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, w := range f.Warnings {
			_, f.Warnings[i], _ = strings.Cut(w, ": ")
		}
		if !slices.Equal(f.Warnings, c.want) {
			t.Errorf("%s:\n got  %q\n want %q", name, f.Warnings, c.want)
		}
	}
}

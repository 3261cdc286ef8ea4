package policyfile

import (
	"bytes"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// Client may have enrolment tokens issued by the API.
type Client struct {
	Name     string
	Bearer   config.Secret // not set where secrets are not read
	Policies []string
}

// UsesTokens reports whether the file needs a state database.
func (f *File) UsesTokens() bool { return len(f.Clients) > 0 || len(f.tokenPolicies()) > 0 }

// tokenPolicies are the names of the policies that require a token.
func (f *File) tokenPolicies() (names []string) {
	for name, p := range f.Policies {
		if p.Token != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func orNoTokens(policies []string) string {
	if len(policies) == 0 {
		return "policies with a section token; the file has none"
	}
	return strings.Join(policies, ", ")
}

// clients reads the list of clients. written are the names of all policies in the file.
func (f *File) clients(v document.Value, written []string, secrets *config.SecretReader) (all []Client) {
	items, _ := v.List()
	names, policies := map[string]bool{}, f.tokenPolicies()
	for _, item := range items {
		m := item.As(clientShape(policies)).Mapping()
		c := Client{}
		if name, ok := m.Get("name").Text(); ok {
			if c.Name = name; names[name] {
				m.Get("name").Fault("a name for each client", "a client before has the name %s", name)
			}
			names[name] = true
		}
		if v := m.Get("bearer"); v.IsSet() {
			if bearer, ok := secrets.Read(v); ok && !secrets.Skip {
				c.Bearer = bearer
				checkBearer(v, bearer, all)
			}
		}
		c.Policies = f.policiesOf(m.Get("policies"), policies, written)
		all = append(all, c)
	}
	return all
}

// policiesOf reads the policies of a client: some of those that require a token. written are the names of all policies.
func (f *File) policiesOf(v document.Value, policies, written []string) (names []string) {
	items, _ := v.List()
	for _, item := range items {
		name, ok := item.Text()
		switch p := f.Policies[name]; {
		case !ok:
		case slices.Contains(names, name):
			item.Fault("each policy once", "%s is in the list already", name)
		case p == nil && !slices.Contains(written, name):
			item.Unknown("policy", name, policies, orNoTokens(policies))
		case p != nil && p.Token == nil:
			item.Fault(orNoTokens(policies), "the policy %s requires no token", name)
		default: // one with a fault counts: that was reported
			names = append(names, name)
		}
	}
	return names
}

// checkBearer refuses a credential that no client can send, that can be guessed, or that another client has.
func checkBearer(v document.Value, bearer config.Secret, before []Client) {
	secret := bearer.Reveal()
	switch {
	case bytes.ContainsFunc(secret, func(c rune) bool { return c <= ' ' || c > '~' }):
		v.Fault("printable ASCII without spaces", "the credential has a space, a line break, or a character that no header can carry")
	case len(secret) < minBearer:
		v.Warn("the credential is short enough to be guessed; make one with: openssl rand -base64 32")
	}
	for _, other := range before {
		if bytes.Equal(other.Bearer.Reveal(), secret) && len(secret) > 0 {
			v.Fault("a credential for each client", "the client %s has the same one", other.Name)
		}
	}
}

// checkToken checks that a webhook can send the token that its policy requires.
func (f *File) checkToken(item document.Value, w *Webhook, p *policy.Policy, s Surroundings) {
	const accepted = "a policy with token: {required: true}"
	switch {
	case w.Takes(posture.SCEPChallenge) && p.Token == nil:
		item.Member("policy").Fault(accepted, "a SCEP challenge is an enrolment token, and the policy %s requires none", p.Name)
	case p.Token == nil:
	case w.Takes(posture.SSHUser) || w.Takes(posture.SSHHost):
		item.Member("policy").Fault("a policy without token", "the policy %s requires an enrolment token, and a request for an SSH certificate has no CSR that could carry one", p.Name)
	case w.Kind == posture.Authorizing && !f.redeems(w, s):
		item.Member("policy").Warn("the policy %s requires an enrolment token, and no webhook with this policy sends the CSR that carries it: ENRICHING is missing, and every request is refused", p.Name)
	case w.Kind == posture.Enriching && !slices.ContainsFunc(f.Webhooks, func(o Webhook) bool {
		return o.Policy == w.Policy && o.Kind != posture.Enriching && o.Accepts[0] == w.Accepts[0]
	}):
		item.Member("policy").Warn("the policy %s requires an enrolment token, and no webhook with this policy sees the certificate: AUTHORIZING is missing, and a template could publish the token", p.Name)
	}
}

// redeems reports whether a webhook sends the CSR of the orders about whose certificates another webhook asks.
func (f *File) redeems(w *Webhook, s Surroundings) bool {
	if w.Policy == "default" && w.Takes(posture.Attested) && f.defaultIsUsed(s) {
		return true // those of the environment send both
	}
	return slices.ContainsFunc(f.Webhooks, func(o Webhook) bool {
		sends := o.Kind != posture.Authorizing && slices.Contains(o.Accepts, w.Accepts[0])
		return o.Policy == w.Policy && (sends || o.Takes(posture.SCEPChallenge) && w.Takes(posture.X509))
	})
}

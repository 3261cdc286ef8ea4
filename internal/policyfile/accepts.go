package policyfile

import (
	"fmt"
	"slices"
	"strings"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// parameters are those of the URLs of all webhooks. What is wrong with them is no fault yet.
func parameters(v document.Value) (names []string) {
	if !v.IsList() {
		return nil
	}
	for _, name := range v.Texts("params") {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// readAccepts reads which requests a webhook sends.
func readAccepts(v document.Value) (all []posture.Accepts) {
	if !v.IsSet() {
		return []posture.Accepts{posture.Attested}
	}
	if !v.IsList() {
		text, _ := v.Text()
		return []posture.Accepts{posture.Accepts(text)}
	}
	items, _ := v.List()
	for _, item := range items {
		text, ok := item.Text()
		a := posture.Accepts(text)
		switch {
		case !ok:
		case slices.Contains(all, a):
			item.Fault("each word once", "%s is in the list already", a)
		default:
			all = append(all, a)
		}
	}
	return all
}

// readRequests reads what is said of the requests that a webhook sends.
func (w *Webhook) readRequests(m document.Mapping) {
	if w.Takes(posture.RADIUS) {
		for _, key := range [...]string{"kind", "provisioner", "params"} {
			if v := m.Get(key); v.IsSet() {
				v.Fault("no "+key+" for radius", "Smallstep's RADIUS server asks, and no provisioner of step-ca")
			}
		}
		w.readIdentify(m)
		return
	}
	w.Kind, _ = m.Get("kind").Text()
	if v := m.Get("kind"); v.IsSet() && (w.Takes(posture.SCEPChallenge) || w.Takes(posture.SCEPNotification)) {
		v.Fault("no kind for "+string(w.Accepts[0]), "%s is a kind by itself", w.Accepts[0])
	}
	if v := m.Get("provisioner"); v.IsSet() {
		of := v.Mapping()
		w.ProvisionerType, _ = of.Get("type").Text()
		w.ProvisionerName, _ = of.Get("name").Text()
		w.checkProvisioner(of.Get("type"))
	}
	w.readParams(m.Get("params"))
	w.readIdentify(m)
}

func (w *Webhook) readParams(v document.Value) {
	items, _ := v.List()
	if v.IsSet() && w.Takes(posture.Attested) {
		v.Fault("no params for attested", "the identifier of an attested request is what the CA verified, and its URL has mode or nothing")
		return
	}
	for _, item := range items {
		name, ok := item.Text()
		switch {
		case !ok:
		case slices.Contains(w.Params, name):
			item.Fault("each parameter once", "%s is in the list already", name)
		default:
			w.Params = append(w.Params, name)
		}
	}
}

// readIdentify reads the expressions that give the identifier. Whether one may be missing depends on the other webhooks.
func (w *Webhook) readIdentify(m document.Mapping) {
	v := m.Get("identify")
	if !v.IsSet() {
		return
	}
	if !w.needsIdentify() {
		v.Fault("no identify for "+string(w.Accepts[0]), "the identifier of such a request is known without an expression")
		return
	}
	w.Identify = map[posture.Accepts]*policy.Identify{}
	if !v.IsMapping() {
		identify := policy.ReadIdentify(v, w.Params)
		for _, a := range w.Accepts {
			w.Identify[a] = identify
		}
		return
	}
	if len(w.Accepts) != len([]posture.Accepts{posture.SSHUser, posture.SSHHost}) {
		v.Fault("one expression", "one for each kind of SSH certificate is for a webhook that accepts both")
		return
	}
	of := v.Mapping()
	for _, a := range w.Accepts {
		w.Identify[a] = policy.ReadIdentify(of.Get(string(a)), w.Params)
	}
}

func (w *Webhook) needsIdentify() bool {
	return w.Takes(posture.X509) || w.Takes(posture.SSHUser) || w.Takes(posture.SSHHost)
}

// checkProvisioner refuses a type of provisioner that never sends what the webhook accepts.
func (w *Webhook) checkProvisioner(v document.Value) {
	if !slices.Contains(posture.ProvisionerTypes(), w.ProvisionerType) {
		return // a wrong word is reported already
	}
	for _, a := range w.Accepts {
		types := provisionersOf(a)
		if types != nil && !slices.Contains(types, w.ProvisionerType) {
			v.Fault(strings.Join(types, ", "), "a provisioner of the type %s sends no request of the kind %s", w.ProvisionerType, a)
		}
	}
}

// provisionersOf are the types of provisioners that send such requests; nil means that there is no such word.
func provisionersOf(a posture.Accepts) []string {
	switch a {
	case posture.Attested:
		return []string{"ACME"}
	case posture.X509:
		return posture.ProvisionerTypes()
	case posture.SSHUser:
		return []string{"JWK", "OIDC", "X5C", "K8sSA", "GCP"}
	case posture.SSHHost:
		return []string{"JWK", "OIDC", "X5C", "K8sSA", "AWS", "GCP", "Azure", "Nebula"}
	case posture.SCEPChallenge, posture.SCEPNotification:
		return []string{"SCEP"}
	case posture.RADIUS:
		return []string{} // no provisioner of step-ca calls it
	}
	return nil
}

// checkWebhooks checks what webhooks and policies say together.
func (f *File) checkWebhooks(v document.Value, s Surroundings) {
	items, _ := v.List()
	for i := range f.Webhooks {
		w, item := &f.Webhooks[i], items[i]
		p := f.Policies[w.Policy]
		if p == nil {
			continue
		}
		f.checkIdentify(item, w, p)
		if w.Takes(posture.RADIUS) {
			continue // it asks about no request of step-ca
		}
		f.checkKinds(item, w, p)
		for _, name := range p.Parameters(w.Name) {
			if !slices.Contains(w.Params, name) {
				item.Member("policy").Fault("params with "+name+", or a rule with when: request.caller", "a rule of the policy %s reads request.url.%s, which is no parameter of this webhook, so that nothing would ever be issued", p.Name, name)
				break
			}
		}
		f.checkToken(item, w, p, s)
	}
}

// checkIdentify demands an expression, and warns of one that takes what a client may choose.
func (f *File) checkIdentify(item document.Value, w *Webhook, p *policy.Policy) {
	if !w.needsIdentify() {
		return
	}
	if !item.Has("identify") {
		challenged := slices.ContainsFunc(f.Webhooks, func(o Webhook) bool { return o.Policy == w.Policy && o.Takes(posture.SCEPChallenge) })
		if !w.Takes(posture.X509) || !challenged {
			item.Missing("identify", "an expression over request, such as request.principal")
		}
		return
	}
	for _, a := range w.Accepts {
		if w.Identify[a] == nil {
			continue
		}
		for _, path := range w.Identify[a].Reads() {
			switch why := w.chosenBy(path); {
			case why == "":
			case p.Compares(path):
			default:
				item.Member("identify").Warn("%s: %s, and no rule of the policy %s compares it", path, why, p.Name)
			}
		}
	}
	if ssh := !w.Takes(posture.X509); !p.ReadsFinalNames(ssh) {
		names := "request.certificate or request.names"
		if ssh {
			names = "request.ssh or request.names"
		}
		item.Member("policy").Warn("no rule of the policy %s reads %s, so that the certificate may bear any name that the client asks for", p.Name, names)
	}
}

// checkKinds demands a webhook for the rules that apply to AUTHORIZING alone.
func (f *File) checkKinds(item document.Value, w *Webhook, p *policy.Policy) {
	only := p.OnlyAuthorizing()
	if len(only) == 0 {
		return
	}
	authorizing := func(o Webhook) bool { return o.Policy == w.Policy && o.Kind == posture.Authorizing }
	if !slices.ContainsFunc(f.Webhooks, authorizing) {
		item.Member("policy").Fault("a webhook with this policy and kind: authorizing",
			"the rule %s of the policy %s applies to AUTHORIZING alone, and no webhook says that it sends that", only[0], p.Name)
	}
}

// chosenBy says why what an expression reads may be the client's choice; empty where the CA vouches for it.
func (w *Webhook) chosenBy(path string) string {
	free := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
	}
	t := w.ProvisionerType
	switch {
	case free("request.x5c.") && t != "" && t != "X5C":
		return fmt.Sprintf("a provisioner of the type %s sends none", t)
	case path == "request.principal" && t != "" && !slices.Contains(principals(), t):
		return fmt.Sprintf("a provisioner of the type %s sends none", t)
	case t == "JWK" && free("request.csr.common_name", "request.ssh.", "request.certificate.", "request.names"):
		return "" // the holder of the provisioner's key vouches for it
	case free("request.csr.", "request.names", "request.ssh.", "request.scep."):
		return "the client chooses it"
	case free("request.certificate.") && slices.Contains([]string{"K8sSA", "AWS", "GCP", "Azure", "X5C", "Nebula", "SCEP"}, t):
		return fmt.Sprintf("with a provisioner of the type %s the client chooses it", t)
	}
	return ""
}

// principals are the types of provisioners whose requests have a principal.
func principals() []string { return []string{"X5C", "AWS", "GCP", "Azure"} }

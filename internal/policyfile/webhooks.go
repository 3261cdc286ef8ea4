package policyfile

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
)

// callers are the names of the webhooks, and the IDs of those in the environment. It returns nil where the environment
// may have others: on a machine that only tests policies, or asks inventories.
func callers(v document.Value, s Surroundings) []string {
	unread := s.WithoutSecrets || s.WithoutWebhooks
	if unread && len(s.WebhookIDs) == 0 || v.IsSet() && !v.IsList() {
		return nil
	}
	names := slices.Clone(s.WebhookIDs)
	items, _ := v.List()
	for _, item := range items {
		if !item.IsMapping() {
			continue // webhooks reports it
		}
		for key, value := range item.Names() {
			if key == "name" {
				if name, ok := value.Text(); ok {
					names = append(names, name)
				}
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return names
}

// webhooks reads the list of webhooks.
func webhooks(v document.Value, policies map[string]*policy.Policy, secrets *config.SecretReader, s Surroundings) (all []Webhook) {
	items, _ := v.List()
	names, ids := map[string]bool{}, map[string]string{}
	for _, id := range s.WebhookIDs {
		ids[strings.ToLower(id)] = "WEBHOOK_IDS in the environment"
	}
	others := taken{}
	if len(s.WebhookSecrets) > 0 {
		others = append(others, holder{"WEBHOOK_SECRETS in the environment", s.WebhookSecrets})
	}
	for _, item := range items {
		m := item.Mapping("name", "id", "secret", "policy")
		w := Webhook{}
		if v, ok := m.Require("name", "a name for logs and metrics"); ok {
			if w.Name, ok = v.Text(); ok && policy.CheckName(v, w.Name) && names[w.Name] {
				v.Fault("a name for each webhook", "a webhook before has the name %s", w.Name)
			}
			names[w.Name] = true
		}
		if v, ok := m.Require("id", `the UUID that step-ca printed as "Webhook ID"`); ok {
			w.ID = readID(v, ids)
		}
		if v, ok := m.Require("policy", orNone(policies)); ok {
			if w.Policy, ok = v.Text(); ok && policies[w.Policy] == nil {
				v.Fault(orNone(policies), "unknown policy")
			}
		}
		if v, ok := m.Require("secret", config.AcceptedSecret); ok {
			w.Secrets = readSecrets(v, secrets)
			others.check(v, w)
		}
		all = append(all, w)
	}
	return all
}

func orNone(policies map[string]*policy.Policy) string {
	if len(policies) == 0 {
		return "a policy; the file has none"
	}
	return strings.Join(slices.Sorted(maps.Keys(policies)), ", ")
}

// readID reads the ID of a webhook. before are those that have one already, with where.
func readID(v document.Value, before map[string]string) string {
	text, ok := v.Text()
	id := strings.ToLower(text)
	switch {
	case !ok:
		return ""
	case !isUUID(id):
		v.Fault(`the UUID that step-ca printed as "Webhook ID"`, "it is not a UUID")
		return ""
	case before[id] != "":
		v.Fault("an ID for each webhook", "%s has the same ID", before[id])
		return ""
	}
	before[id] = v.Path()
	return id
}

// isUUID reports whether a text is one UUID in lower case.
func isUUID(text string) bool {
	var ids config.UUIDs
	return !strings.Contains(text, ",") && ids.UnmarshalText([]byte(text)) == nil && ids[0] == text
}

// taken are secrets that were read, with those who have them.
type taken []holder

type holder struct {
	name    string
	secrets []config.Secret
}

// check reports a secret that another webhook has too: the ID in a request is not signed, so a request could be passed off
// as one of the other webhook.
func (t *taken) check(v document.Value, w Webhook) {
	same := func(a config.Secret) func(config.Secret) bool {
		return func(b config.Secret) bool { return len(a.Reveal()) > 0 && bytes.Equal(a.Reveal(), b.Reveal()) }
	}
	for _, other := range *t {
		for _, secret := range w.Secrets {
			if slices.ContainsFunc(other.secrets, same(secret)) {
				v.Fault("a secret for each webhook", "%s has the same secret; the ID in a request is not signed", other.name)
			}
		}
	}
	if len(w.Secrets) == maxSecrets && same(w.Secrets[0])(w.Secrets[1]) {
		v.Fault("two different secrets", "both secrets are the same")
	}
	*t = append(*t, holder{"the webhook " + w.Name, w.Secrets})
}

const maxSecrets = 2

// readSecrets reads one secret, or two while one replaces the other.
func readSecrets(v document.Value, reader *config.SecretReader) (secrets []config.Secret) {
	values := []document.Value{v}
	if v.IsList() {
		values, _ = v.List()
		if len(values) == 0 || len(values) > maxSecrets {
			v.Fault("one secret, or a list of two", "the list has %d", len(values))
		}
	}
	for _, value := range values {
		text, ok := reader.Read(value)
		if !ok || reader.Skip {
			continue
		}
		var read config.Secrets // as WEBHOOK_SECRETS has them
		err := read.UnmarshalText(text.Reveal())
		switch list := read.List(); {
		case err != nil:
			value.Fault("the base64 that step-ca printed as \"Secret\"", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		case len(list) != 1:
			value.Fault("one secret; a list of two here for two", "it has %d secrets", len(list))
		default:
			secrets = append(secrets, list[0])
		}
	}
	return secrets
}

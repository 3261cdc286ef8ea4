package policyfile

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

var anID = regexp.MustCompile(patternID)

// callers are the names of the webhooks, the IDs of those in the environment, and the callers of doors. The environment may have others on a
// machine that only tests policies, or asks inventories: then each ID is accepted, and without webhooks in the file each text.
func callers(v, doors document.Value, s Surroundings) (names []string, more func(text string) bool) {
	if v.IsSet() && !v.IsList() {
		return nil, nil
	}
	if (s.WithoutSecrets || s.WithoutWebhooks) && len(s.WebhookIDs) == 0 {
		more = anID.MatchString
	}
	names = slices.Clone(s.WebhookIDs)
	if v.IsSet() {
		names = append(names, v.Texts("name")...)
	}
	if len(names) == 0 && (more != nil || !doors.IsSet()) {
		return nil, nil
	}
	return append(names, doorCallers(doors)...), more
}

// webhooks reads the list of webhooks.
func webhooks(v document.Value, policies []string, secrets *config.SecretReader, s Surroundings) (all []Webhook) {
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
		m := item.As(webhookShape(policies)).Mapping()
		w := Webhook{ID: readID(m.Get("id"), ids)}
		if name, ok := m.Get("name").Text(); ok {
			if w.Name = name; names[name] {
				m.Get("name").Fault("a name for each webhook", "a webhook before has the name %s", name)
			}
			names[name] = true
		}
		w.Accepts = readAccepts(m.Get("accepts"))
		if v := m.Get("policy"); v.IsSet() && w.Takes(posture.SCEPNotification) {
			v.Fault("no policy for scep_notification", "a notification is recorded; nothing is decided")
		} else if !v.IsSet() && !w.Takes(posture.SCEPNotification) {
			item.Missing("policy", orNone(policies))
		} else if name, ok := v.Text(); ok {
			if w.Policy = name; !slices.Contains(policies, name) {
				v.Unknown("policy", name, policies, orNone(policies))
			}
		}
		w.readRequests(m)
		if v := m.Get("secret"); v.IsSet() {
			w.Secrets = others.readSecrets(v, "the webhook "+w.Name, secrets)
		}
		all = append(all, w)
	}
	return all
}

func orNone(policies []string) string {
	if len(policies) == 0 {
		return "a policy; the file has none"
	}
	return strings.Join(policies, ", ")
}

// readID reads the ID of a webhook. before are those that have one already, with where.
func readID(v document.Value, before map[string]string) string {
	text, ok := v.Text()
	id := strings.ToLower(text)
	switch {
	case !ok:
		return ""
	case before[id] != "":
		v.Fault("an ID for each webhook", "%s has the same ID", before[id])
		return ""
	}
	before[id] = v.Path()
	return id
}

// taken are secrets that were read, with those who have them.
type taken []holder

type holder struct {
	name    string
	secrets []config.Secret
}

// readSecrets reads the secrets of a webhook: one, or two while one replaces the other. A secret that another webhook has
// too is a fault: the ID in a request is not signed, so a request could be passed off as one of the other webhook.
func (t *taken) readSecrets(v document.Value, name string, reader *config.SecretReader) []config.Secret {
	values := []document.Value{v}
	if v.IsList() {
		values, _ = v.List()
	}
	own := holder{name: name}
	for _, value := range values {
		secret, ok := readSecret(value, reader)
		if !ok {
			continue
		}
		for _, other := range *t {
			if other.has(secret) {
				value.Fault("a secret for each webhook", "%s has the same secret; the ID in a request is not signed", other.name)
			}
		}
		if own.has(secret) {
			value.Fault("two different secrets", "both secrets are the same")
		}
		own.secrets = append(own.secrets, secret)
	}
	*t = append(*t, own)
	return own.secrets
}

func (h holder) has(secret config.Secret) bool {
	return slices.ContainsFunc(h.secrets, func(other config.Secret) bool { return bytes.Equal(other.Reveal(), secret.Reveal()) })
}

// readSecret reads one secret. There is none where secrets are not read.
func readSecret(v document.Value, reader *config.SecretReader) (secret config.Secret, ok bool) {
	text, ok := reader.Read(v)
	if !ok || reader.Skip {
		return config.Secret{}, false
	}
	var read config.Secrets // as WEBHOOK_SECRETS has them
	err := read.UnmarshalText(text.Reveal())
	switch list := read.List(); {
	case err != nil:
		v.Fault("the base64 that step-ca printed as \"Secret\"", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	case len(list) != 1:
		v.Fault("one secret; a list of two here for two", "it has %d secrets", len(list))
	default:
		return list[0], true
	}
	return config.Secret{}, false
}

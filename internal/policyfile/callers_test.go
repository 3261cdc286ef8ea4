package policyfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/policyfile"
)

// A literal that is compared with request.caller must be a webhook, unless those of the environment are not known.
func TestCallers(t *testing.T) {
	t.Parallel()
	const id = "11111111-1111-4111-8111-111111111111"
	const hook = "webhooks:\n  - {name: devices, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {env: NEW}, policy: default}\n"
	for _, c := range []struct {
		name, caller, webhooks string
		surroundings           policyfile.Surroundings
		accepted               bool
	}{
		{"a webhook of the file", "devices", hook, policyfile.Surroundings{}, true},
		{"a misspelled one", "device", hook, policyfile.Surroundings{}, false},
		{"one of the environment", id, hook, policyfile.Surroundings{WebhookIDs: []string{id}}, true},
		{"one of the environment alone", id, "", policyfile.Surroundings{WebhookIDs: []string{id}}, true},
		{"another than that one", "x", "", policyfile.Surroundings{WebhookIDs: []string{id}}, false},
		{"to ask inventories", id, hook, policyfile.Surroundings{WithoutWebhooks: true}, true},
		{"to test", id, hook, policyfile.Surroundings{WithoutSecrets: true}, true},
		{"another text, to test", "device", hook, policyfile.Surroundings{WithoutSecrets: true}, false},
		{"another text, to ask inventories", "device", hook, policyfile.Surroundings{WithoutWebhooks: true}, false},
		{"any text, to test a file without webhooks", "device", "", policyfile.Surroundings{WithoutSecrets: true}, true},
		{"to test with the environment", "x", hook, policyfile.Surroundings{WithoutSecrets: true, WebhookIDs: []string{id}}, false},
	} {
		path := filepath.Join(t.TempDir(), "posture.yaml")
		content := "policies:\n  default:\n    rules:\n      - {name: r, require: 'request.caller == \"" + c.caller + "\"'}\n" + c.webhooks
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c.surroundings.Inventory = "file"
		c.surroundings.Environ = map[string]string{"NEW": secretOf('n')}
		_, err := policyfile.Load(path, c.surroundings)
		if c.accepted != (err == nil) || err != nil && !strings.Contains(err.Error(), `4:47: policies.default.rules[0].require: request.caller is never "`+c.caller+`"`) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

package config_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

// TestUnknownVariables: only what is certainly a name is shown. In a broken line of an env file that another tool has
// read, a secret may look like a name.
func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	v := config.Vocabulary{
		Known:    append(config.Variables[config.Config](), "FILE_PATH", "FILE_TYPE"),
		Meant:    map[string]string{"WEBHOOK_HMAC": "WEBHOOK_SECRETS"},
		Prefixes: []string{"FILE_", "JAMF_"},
	}
	const ignored = " is not a variable of the connector and is ignored"
	tests := map[string]string{
		"WEBHOOK_SECRET":                 "WEBHOOK_SECRET" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_HMAC":                   "WEBHOOK_HMAC" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"FILE_PAHT":                      "FILE_PAHT" + ignored + "; did you mean FILE_PATH?",
		"WEBHOOK_":                       "WEBHOOK_" + ignored + "; did you mean WEBHOOK_IDS?",
		"WEBHOOK_XYZZY":                  "WEBHOOK_XYZZY" + ignored,
		"WEBHOOK_URL":                    "WEBHOOK_URL" + ignored,
		"FILE_PTAH":                      "FILE_PTAH" + ignored + "; did you mean FILE_PATH?",
		"WEBHOOK_SECRETS c2VjcmV0c2Vj":   "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_SECRETS\nc2VjcmV0c2Vj":  "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"FILE_c2VjcmV0c2VjcmV0c2VjcmV0c": "a variable that begins with FILE_" + ignored,
		"WEBHOOK_SECRETS\n":              "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_SECRETS.c2Vj":           "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_ÄSECRETS":               "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"HOME":                           "", "PATH": "", "webhook_secret": "", "MY_WEBHOOK_ID": "", "WEBHOOKS": "", "FILES_X": "", "PORTS": "", "WEBHOOK_SECRETS_FILE": "",
	}
	for name, want := range tests {
		got := config.Environment{Variables: environ(map[string]string{name: "c2VjcmV0"})}.Warnings(v)
		if text := strings.Join(got, "\n"); text != want || strings.Contains(text, "c2Vj") {
			t.Errorf("Warnings of %q = %q, want %q", name, got, want)
		}
	}
	several := config.Environment{Variables: map[string]string{"WEBHOOK_X": "1", "FILE_X": "1", "AUDIT_X": "1", "JAMF_X": "1", "MTLS_X": "1", "POLICY_X": "1"}}.Warnings(v)
	if len(several) != 6 || !strings.HasPrefix(several[0], "AUDIT_X ") || !strings.HasPrefix(several[4], "POLICY_X ") || !strings.HasPrefix(several[5], "WEBHOOK_X ") {
		t.Errorf("Warnings of six = %q, want all, in order", several)
	}
}

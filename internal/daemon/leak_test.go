package daemon_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/provider"
)

// everything is what the daemon prints about a configuration at start and in check: why it does not
// start, or the warnings and what was loaded.
func everything(t *testing.T, environ map[string]string) string {
	t.Helper()
	d, err := daemon.Load(config.Environment{Variables: environ})
	if err != nil {
		return err.Error()
	}
	found, err := d.Check(t.Context())
	if err != nil {
		return err.Error()
	}
	return strings.Join(append(append(d.Describe(), d.Warnings...), found...), "\n")
}

// A missing quote in .env would make the next lines, a secret among them, part of the value of any variable. Such a file is
// refused; and a value that another tool has read in this way is not shown.
func TestUnclosedQuote(t *testing.T) {
	t.Parallel()
	names := append(config.Variables[config.Config](), provider.Variables()...)
	names = append(names, "WEBHOOK_UNKNOWN", "AUDIT_UNKNOWN", "JAMF_UNKNOWN")
	for _, name := range names {
		for _, quote := range []string{`"`, `'`} {
			t.Run(name+" "+quote, func(t *testing.T) {
				t.Parallel()
				in := install(t)
				all := in.environ(map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.crt"})
				begin := all[name]
				if strings.Contains(name, "SECRET") {
					begin = ""
				}
				hidden := strings.Repeat("aGlkZGVu", 11)
				swallowed := begin + "\nWEBHOOK_SECRETS=" + hidden + "\nEND="
				in.write(t, ".env", name+"="+quote+swallowed+quote+"\n")
				if _, err := config.Environ(nil, in.path(".env"), true); err == nil || !strings.Contains(err.Error(), "line 1: "+name) || strings.Contains(err.Error(), hidden[:8]) {
					t.Errorf("Environ: %v, want an error about line 1, without the secret", err)
				}
				all[name] = swallowed
				if text := everything(t, all); strings.Contains(text, hidden[:8]) {
					t.Errorf("the output shows the secret:\n%s", text)
				}
			})
		}
	}
}

// No output shows the secret: neither about a valid configuration, nor about one with the secret or the key in another
// variable.
func TestNothingShowsTheSecret(t *testing.T) {
	t.Parallel()
	in := install(t)
	key, err := os.ReadFile(in.path("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	inKey := strings.Split(string(key), "\n")[1]
	for name, changes := range map[string]map[string]string{
		"good":                         nil,
		"good, mTLS":                   {"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.crt"},
		"IDs and secrets swapped":      {"WEBHOOK_IDS": in.secret, "WEBHOOK_SECRETS": "98a6ad8d-d8e5-4d1d-b465-770fb66a5207"},
		"secret in WEBHOOK_IDS":        {"WEBHOOK_IDS": in.secret},
		"secret in its file's name":    {"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": in.secret},
		"secret cut short":             {"WEBHOOK_SECRETS": in.secret[:17]},
		"secret as provider":           {"PROVIDER": in.secret},
		"secret as type":               {"FILE_TYPE": in.secret},
		"secret as port":               {"PORT": in.secret},
		"secret as address":            {"BIND_ADDRESS": in.secret},
		"secret in a misspelled name":  {"WEBHOOK_SECRET": in.secret},
		"secret in the name":           {"WEBHOOK_SECRETS " + in.secret: "x"},
		"key in place of its path":     {"TLS_KEY_PATH": string(key)},
		"key in the certificate's":     {"TLS_CERT_PATH": string(key)},
		"key in the CA bundle's":       {"ENABLE_MTLS": "1", "TLS_CA_PATH": string(key)},
		"key in the inventory's":       {"FILE_PATH": string(key)},
		"key as the secret's file":     {"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": in.path("server.key")},
		"key as the certificate":       {"TLS_CERT_PATH": "DIR/server.key"},
		"key as the inventory":         {"FILE_PATH": "DIR/server.key"},
		"key as the JSON inventory":    {"FILE_PATH": "DIR/server.key", "FILE_TYPE": "json"},
		"key without PEM, on one line": {"TLS_KEY_PATH": inKey},
		"long key without PEM":         {"TLS_KEY_PATH": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("s"), 1200))},
		"secret as the key's path":     {"TLS_KEY_PATH": in.secret},
		"secret as the inventory's":    {"FILE_PATH": in.secret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := everything(t, in.environ(changes))
			for what, hidden := range map[string]string{"the signing secret": in.secret[:12], "the private key": inKey[20:36]} {
				if strings.Contains(text, hidden) {
					t.Errorf("the output shows %s:\n%s", what, text)
				}
			}
		})
	}
}

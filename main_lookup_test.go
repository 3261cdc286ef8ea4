//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
)

// lookup says which kind of device was asked for, lists groups so that each can be told from the next, and
// with --json says in JSON that there is no decision. (Linux, where SSL_CERT_FILE is heeded.)
func TestLookupJamf(t *testing.T) {
	t.Parallel()
	managed := true
	server, err := jamftest.New(jamftest.Options{Devices: []jamftest.Device{{
		Computer: true, Serial: "C02XK1JKLVCG", Managed: &managed, Groups: []jamftest.Group{{Name: "Disk encrypted"}, {Name: "VIP\u009b\u202e", Smart: true}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "vendor.pem")
	if err := os.WriteFile(roots, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	env := environment{
		"PROVIDER": "jamf", "SSL_CERT_FILE": roots, "JAMF_BASE_URL": server.BaseURL(), "JAMF_CLIENT_ID": client.ID, "JAMF_CLIENT_SECRET": client.Secret,
		"JAMF_COMPUTER_GROUP": "Disk encrypted", "JAMF_COMPUTER_ENRICH": "1",
	}
	for name, test := range map[string]struct {
		env    environment
		args   string
		code   int
		stdout []string
	}{
		"of the other kind": {env, "lookup C02XK1JKLVCG", 2, []string{
			"[DENY] C02XK1JKLVCG (deviceNotFound)\n", "\nmode: mobiledevice (the default; --mode computer, mobiledevice or any chooses)\n",
		}},
		"of the kind": {env, "lookup C02XK1JKLVCG --mode computer", 0, []string{
			"[ALLOW] C02XK1JKLVCG\n", "\nmode: computer\n", "\nrecord: C02XK1JKLVCG, computer, managed\n", "\ngroups: \"Disk encrypted\", \"VIP\\u009b\\u202e\"\n", `"groups":["Disk encrypted","VIP\u009b\u202e"]`,
		}},
		// As docs/operation.md has it: what would another required group do?
		"another group": {env.with("JAMF_COMPUTER_GROUP", "New"), "lookup C02XK1JKLVCG --mode computer", 2, []string{"(deviceNotInGroup)\n"}},
		"no answer":     {env.with("JAMF_BASE_URL", "https://127.0.0.1:1"), "lookup C02XK1JKLVCG --json", 1, []string{`{"decision":"error","error":"no decision: look up device: `, `"identifier":"C02XK1JKLVCG"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runOnce(t, test.env, t.TempDir(), strings.Fields(test.args)...)
			for _, want := range test.stdout {
				if r.code != test.code || !strings.Contains(r.stdout, want) {
					t.Errorf("got exit code %d, printed\n%s%s\nwant %d and %q", r.code, r.stdout, r.stderr, test.code, want)
				}
			}
		})
	}
}

//go:build linux

package blackbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

// lookup prints the kind of device, separates groups by commas, and with --json reports a missing decision in
// JSON. (Linux: Go reads SSL_CERT_FILE there.)
func TestLookupJamf(t *testing.T) {
	t.Parallel()
	_, whole := program.StartJamf(t, program.NewPKI(t), jamftest.Device{
		Computer: true, Serial: "C02XK1JKLVCG", Managed: new(true), Groups: []jamftest.Group{{Name: "Disk encrypted"}, {Name: "VIP\u009b\u202e", Smart: true}},
	})
	env := program.Environment{"JAMF_COMPUTER_GROUP": "Disk encrypted", "JAMF_COMPUTER_ENRICH": "1"}
	for _, name := range []string{"PROVIDER", "SSL_CERT_FILE", "JAMF_BASE_URL", "JAMF_CLIENT_ID", "JAMF_CLIENT_SECRET"} {
		env[name] = whole[name] // only what lookup needs
	}
	for name, test := range map[string]struct {
		env    program.Environment
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
		// As in docs/operation.md: what would another required group change?
		"another group": {env.With("JAMF_COMPUTER_GROUP", "New"), "lookup C02XK1JKLVCG --mode computer", 2, []string{"(deviceNotInGroup)\n"}},
		"no answer":     {env.With("JAMF_BASE_URL", "https://127.0.0.1:1"), "lookup C02XK1JKLVCG --json", 1, []string{`{"decision":"error","error":"no decision: look up device: `, `"identifier":"C02XK1JKLVCG","warnings":["JAMF_COMPUTER_GROUP is set `}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, test.env, t.TempDir(), strings.Fields(test.args)...)
			for _, want := range test.stdout {
				if r.Code != test.code || !strings.Contains(r.Stdout, want) {
					t.Errorf("got exit code %d, printed\n%s%s\nwant %d and %q", r.Code, r.Stdout, r.Stderr, test.code, want)
				}
			}
		})
	}
}

// Without a decision, a warning may name the cause.
func TestLookupWarnsWithoutDecision(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	content := "PROVIDER=jamf\nJAMF_BASE_URL=https://127.0.0.1:1\nJAMF_CLIENT_ID=x\nJAMF_CLIENT_SECRET=hidden\nHTTPS_PROXY=http://proxy.example.com:3128\n"
	if err := os.WriteFile(filepath.Join(folder, ".env"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "env file .env: line 5: HTTPS_PROXY has no effect in an env file"
	r := program.Run(t, nil, folder, "lookup", "C02XK1JKLVCG")
	if r.Code != 1 || !strings.HasPrefix(r.Stderr, "warning: "+want) || !strings.Contains(r.Stderr, "\nno decision: ") {
		t.Errorf("exit code %d, printed\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	r = program.Run(t, nil, folder, "lookup", "C02XK1JKLVCG", "--json")
	if r.Code != 1 || !strings.Contains(r.Stdout, `"warnings":["`+want) {
		t.Errorf("exit code %d, printed\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// When the inventory does not answer, check still describes the configuration.
func TestCheckDescribesUnanswered(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t)).With("PROVIDER", "jamf", "FILE_PATH", "", "FILE_TYPE", "",
		"JAMF_BASE_URL", "https://127.0.0.1:1", "JAMF_CLIENT_ID", "id", "JAMF_CLIENT_SECRET", "hidden", "JAMF_COMPUTER_GROUP", "disk Encrypted")
	r := program.Run(t, env, "", "check")
	if want := "\ncomputers: must be in the group \"disk Encrypted\"; no data is returned\n"; r.Code != 1 || !strings.Contains(r.Stdout, want) || r.Stderr == "" {
		t.Errorf("exit code %d, printed\n%s%s\nwant 1 and %q", r.Code, r.Stdout, r.Stderr, want)
	}
	if want := "warning: the daemon starts anyway, and recovers by itself"; !strings.Contains(r.Stderr, want) {
		t.Errorf("printed %s, want %q", r.Stderr, want)
	}
	r = program.Run(t, env, "", "check", "--json")
	if r.Code != 1 || !strings.Contains(r.Stdout, `"computers: must be in the group \"disk Encrypted\"; no data is returned"`) || r.Stderr != "" {
		t.Errorf("exit code %d, printed\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// TestJamfGuide runs the commands of docs/providers/jamf.md with the configuration of that page, and the commands of
// docs/operation.md that try another required group. (Linux: Go reads SSL_CERT_FILE there.)
func TestJamfGuide(t *testing.T) {
	t.Parallel()
	p, folder := program.NewPKI(t), t.TempDir()
	server, _ := program.StartJamf(t, p, program.Mac("C02XK1JKLVCG", "Disk encrypted"), program.Mac("C02XK1JKLVCH"))
	client := server.Client()
	text, err := os.ReadFile("docs/providers/jamf.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	_, config, _ := strings.Cut(page, "\n```\nPROVIDER=jamf\n")
	config, _, found := strings.Cut(config, "```\n")
	if !found {
		t.Fatal("the page has no configuration")
	}
	config = "PROVIDER=jamf\n" + strings.NewReplacer(
		"https://example.jamfcloud.com", server.BaseURL(), "4e9c2a51-6d0b-4b7a-9a7e-2f6a5f0c1d34", client.ID, "/etc/step-posture-connector", folder,
	).Replace(config) + "TLS_CERT_PATH=" + p.ServerCert + "\nTLS_KEY_PATH=" + p.ServerKey + "\nWEBHOOK_IDS=" + program.WebhookID + "\nWEBHOOK_SECRETS=" + program.WebhookSecret + "\n"
	for name, content := range map[string]string{
		".env": config, "jamf_client_secret": client.Secret + "\n", "vendor.pem": string(server.CACertPEM()), "serials.txt": "C02XK1JKLVCG\nC02XK1JKLVCH\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := []string{"SSL_CERT_FILE=" + filepath.Join(folder, "vendor.pem")}
	shown := block(t, "docs/providers/jamf.md", "2. The connector", "sh")
	for line := range strings.Lines(`computers: must be in the group "Disk encrypted"; device, user and group data is returned
mobile devices: must be in the group "Up to date"; device, user and group data is returned
`) {
		if !strings.Contains(page, "\n"+line) {
			t.Errorf("the page has no line %q", line)
		}
		runCommands(t, folder, environ, shown, line, "\nok\n", "[ALLOW] C02XK1JKLVCG\n")
	}

	// jq is replaced: its output does not matter here.
	trying := "jq() { cat; }\n" + block(t, "docs/operation.md", "Try a required group", "sh")
	runCommands(t, folder, environ, trying, `{"decision":"allow",`, `{"decision":"deny","code":"deviceNotInGroup",`)
}

package blackbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// check prints, and the start logs, the settings that an operator wants to verify.
func TestDescription(t *testing.T) {
	t.Parallel()
	good := program.WorkingEnvironment(t, program.NewPKI(t)).Absolute(t)
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	for name, test := range map[string]struct {
		env  program.Environment
		want []string
	}{
		"minimum": {good, []string{
			"webhooks: " + program.WebhookID,
			"devices: no group is required; the data in the inventory file is returned",
			"audit log: none",
			"webhook listener: 127.0.0.1, port 9443",
			"health listener: none",
		}},
		"everything": {good.With("AUDIT_LOG_PATH", audit, "BIND_ADDRESS", "", "PORT", "9999", "HEALTH_ADDRESS", ""), []string{
			"audit log: " + audit,
			"webhook listener: all interfaces, port 9999",
			"health listener: 127.0.0.1:9444",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, test.env, "", "check")
			for _, want := range test.want {
				if !strings.Contains("\n"+r.Stdout, "\n"+want+"\n") {
					t.Errorf("check printed\n%s%s\nwant a line %q", r.Stdout, r.Stderr, want)
				}
			}
		})
	}
	d := program.StartDaemon(t, good.With("AUDIT_LOG_PATH", audit))
	_, output := d.Stop(t)
	for _, want := range []string{
		"devices: no group is required; the data in the inventory file is returned", "audit log: " + audit, "webhook listener: 127.0.0.1, port", "health listener: none",
	} {
		if !strings.Contains(output, `msg="`+want) {
			t.Errorf("the log has no line %q:\n%s", want, output)
		}
	}
	if strings.Contains(output, "TIMEOUT") {
		t.Errorf("TIMEOUT is not set, and the provider makes no requests, but the log mentions it:\n%s", output)
	}
}

// The last line counts the warnings, so that "ok" does not hide them.
func TestCheckCountsWarnings(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	good := program.WorkingEnvironment(t, p).Absolute(t)
	for want, env := range map[string]program.Environment{
		"ok":                  good,
		"ok, with 1 warning":  good.With("MTLS_ALLOWED_NAMES", "ca.example.com"),
		"ok, with 2 warnings": good.With("MTLS_ALLOWED_NAMES", "ca.example.com", "TIMESTAMP_TOLERANCE", "5"),
	} {
		if r := program.Run(t, env, "", "check"); r.Code != 0 || !strings.HasSuffix(r.Stdout, "\n"+want+"\n") {
			t.Errorf("check: exit code %d\n%s%s\nwant it to end in %q", r.Code, r.Stdout, r.Stderr, want)
		}
	}
}

// With --json standard output is one JSON object, for every result, and standard error is empty.
func TestJSONOutput(t *testing.T) {
	t.Parallel()
	good := program.WorkingEnvironment(t, program.NewPKI(t)).Absolute(t)
	bad := good.With("PORT", "0", "FILE_TYPE", "xml")
	for name, test := range map[string]struct {
		env  program.Environment
		args string
		code int
		want string // a regular expression
	}{
		"check":                {good, "check --json", 0, `^\{"ok":true,"found":\[".*"\],"warnings":\[\],"problems":\[\]\}$`},
		"check, broken":        {bad, "check --json", 1, `^\{"ok":false,"found":\[\],"warnings":\[\],"problems":\["PORT: .*","FILE_TYPE: .*"\]\}$`},
		"check, no env file":   {good, "check --json --env-file none", 1, `^\{"ok":false,.*"problems":\[".*none.*"\]\}$`},
		"lookup":               {good, "lookup --json C02XK1JKLVCG", 0, `^\{"decision":"allow",.*"identifier":"C02XK1JKLVCG"`},
		"lookup, deny":         {good, "lookup --json C02UNKNOWN00", 2, `^\{"decision":"deny","code":"deviceNotFound",`},
		"lookup, broken":       {bad, "lookup --json C02XK1JKLVCG", 1, `^\{"decision":"error","error":"configuration: FILE_TYPE: .*","identifier":"C02XK1JKLVCG"\}$`},
		"lookup, no inventory": {good.With("FILE_PATH", "none"), "lookup --json C02XK1JKLVCG", 1, `^\{"decision":"error","error":"configuration: FILE_PATH: .*none`},
		"lookup, no env file":  {good, "lookup --json X --env-file none", 1, `^\{"decision":"error","error":"configuration: .*none`},
		"version":              {bad, "version --json", 0, `^\{"version":"[^"]+","commit":"[^"]+","go":"go1\.[^"]+"\}$`},
		"healthcheck, off":     {good, "healthcheck --json", 1, `^\{"status":"unavailable","checks":\{\},"error":"HEALTH_ADDRESS is off, so the daemon cannot be asked"\}$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, test.env, t.TempDir(), strings.Fields(test.args)...)
			if r.Code != test.code || r.Stderr != "" {
				t.Errorf("got exit code %d, want %d, and on standard error %q, want nothing", r.Code, test.code, r.Stderr)
			}
			if !json.Valid([]byte(r.Stdout)) || !regexp.MustCompile(test.want).MatchString(strings.TrimSuffix(r.Stdout, "\n")) {
				t.Errorf("got %q, want JSON that matches %q", r.Stdout, test.want)
			}
		})
	}
}

// Text from the inventory reaches the terminal without control characters, and without characters that change the
// order of text. JSON is for programs, and is not changed.
func TestTerminal(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	inventory := filepath.Join(directory, "inventory.json")
	const name = "\u009b2Jmac\u202egpj.\u200b\U000e0041"
	text := `{"devices": [{"identifier": "C02XK1JKLVCG", "data": {
		"name": "` + name + `", "esc": "\u001b[2J"
	}}]}`
	if err := os.WriteFile(inventory, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := program.WorkingEnvironment(t, program.NewPKI(t)).With("FILE_PATH", inventory)
	r := program.Run(t, env, "", "lookup", "C02XK1JKLVCG")
	if want := `data: {"name":"\u009b2Jmac\u202egpj.\u200b\udb40\udc41","esc":"\u001b[2J"}` + "\n"; r.Code != 0 || !strings.HasSuffix(r.Stdout, want) {
		t.Errorf("lookup printed %q (%s), want it to end in %q", r.Stdout, r.Stderr, want)
	}
	r = program.Run(t, env, "", "lookup", "C02XK1JKLVCG", "--json")
	if !strings.Contains(r.Stdout, name) {
		t.Errorf("lookup --json printed %q, want the name as it is in the inventory", r.Stdout)
	}

	broken := filepath.Join(directory, "broken\u202e.json")
	for _, command := range [][]string{{"check"}, {"lookup", "C02XK1JKLVCG"}, {"serve"}} {
		r := program.Run(t, env.With("FILE_PATH", broken), "", command...)
		if r.Code != 1 || strings.ContainsAny(r.Stdout+r.Stderr, "\u202e") || !strings.Contains(r.Stderr, `broken\u202e.json`) {
			t.Errorf("%v: exit code %d, printed %q", command, r.Code, r.Stdout+r.Stderr)
		}
	}
	if err := os.Rename(inventory, broken); err != nil {
		t.Fatal(err)
	}
	if r := program.Run(t, env.With("FILE_PATH", broken), "", "check"); r.Code != 0 || strings.ContainsAny(r.Stdout, "\u202e") {
		t.Errorf("check: exit code %d, printed %q", r.Code, r.Stdout+r.Stderr)
	}
}

// An error about a file names the file.
func TestErrorsNameThePath(t *testing.T) {
	t.Parallel()
	good := program.WorkingEnvironment(t, program.NewPKI(t)).Absolute(t)
	const missing = "/no-such-folder/file.txt"
	for variable, accepted := range map[string]string{
		"AUDIT_LOG_PATH": "in a folder that exists", "FILE_PATH": "a relative path begins in the folder in which the program starts",
		"TLS_CERT_PATH": "a relative path begins in the folder in which the program starts", "TLS_KEY_PATH": "a relative path begins in the folder in which the program starts",
	} {
		r := program.Run(t, good.With(variable, missing), "", "check")
		if r.Code != 1 || !regexp.MustCompile(`(?m)^`+variable+`: .*`+regexp.QuoteMeta(missing)+`: (?:open: )?no such file or directory.*; accepted: .*`+accepted+`$`).MatchString(r.Stderr) {
			t.Errorf("%s: exit code %d\n%s", variable, r.Code, r.Stderr)
		}
	}
}

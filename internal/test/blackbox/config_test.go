package blackbox_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// mistake is a wrong configuration, and the resulting output.
type mistake struct {
	env       program.Environment
	file      string // content of .env in the working directory; DIR is the path of that folder
	args      string
	code      int
	want      []string // parts of the output
	doNotWant string
}

// check and start name an operator's mistake, with its line and the remedy. No configuration has another
// effect than its text says.
func TestMistakesOfConfiguration(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	good := program.WorkingEnvironment(t, p).Absolute(t)
	jamf := good.With("PROVIDER", "jamf", "FILE_PATH", "", "FILE_TYPE", "", "JAMF_BASE_URL", "https://127.0.0.1:1", "JAMF_CLIENT_ID", "c", "JAMF_CLIENT_SECRET", "s")
	random := make([]byte, 64)
	for i := range random {
		random[i] = byte(i * 167)
	}
	printed := base64.StdEncoding.EncodeToString(random)
	missing := good.With("WEBHOOK_SECRETS", "")
	const quotes = "the value is in quotation marks, and they are part of it"
	for name, test := range map[string]mistake{
		"group from a reference":     {jamf, "X=1\nJAMF_COMPUTER_GROUP=${GROUP}\n", "check", 1, []string{"env file .env: line 2: JAMF_COMPUTER_GROUP has a $ that refers to a variable which the file does not set before"}, "GROUP}"},
		"group with a dollar":        {jamf, "JAMF_COMPUTER_GROUP=$VIP Macs only\n", "check", 1, []string{"line 1: JAMF_COMPUTER_GROUP has a $"}, "VIP"},
		"group with a dollar, start": {jamf, "JAMF_COMPUTER_GROUP=$VIP Macs only\n", "serve", 1, []string{"line 1: JAMF_COMPUTER_GROUP has a $"}, "VIP"},
		"group with a hash":          {jamf, "JAMF_DEVICE_GROUP=Lab #2\n", "check", 1, []string{"line 1: JAMF_DEVICE_GROUP has a # after a space"}, "Lab"},
		"audit log, empty variable":  {good, "AUDIT_LOG_PATH=$X\n", "check", 1, []string{"line 1: AUDIT_LOG_PATH has a $"}, ""},
		"variable twice":             {good, "TIMEOUT=5\nTIMEOUT=6\n", "check", 0, []string{"TIMEOUT is set on line 1 and, to something else, on line 2; line 2 applies"}, ""},
		"all lines at once":          {good, "A=$X\nB=x #y\nC\n", "check", 1, []string{"line 1: A ", "line 2: B ", "line 3 cannot be read"}, ""},
		"UTF-16":                     {good, "\xff\xfeA\x00", "check", 1, []string{"probably UTF-16; save it as UTF-8"}, ""},

		"misspelled":             {good, "ENABLE_MLTS=1\nlog_level=x\n", "check", 0, []string{"line 1: ENABLE_MLTS is not a variable of the connector and is ignored; did you mean ENABLE_MTLS?", "line 2: the name is not a variable of the connector and is ignored; did you mean LOGGING_LEVEL?"}, ""},
		"misspelled, as JSON":    {good, "BIND_ADRESS=x\n", "check --json", 0, []string{`"warnings":["env file .env: line 1: BIND_ADRESS is not a variable`}, ""},
		"misspelled, and broken": {missing, "WEBHOOK_SECRET=x\n", "check", 1, []string{"WEBHOOK_SECRETS: not set", "warning: env file .env: line 1: WEBHOOK_SECRET is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?"}, ""},
		"in the environment":     {good.With("TLS_CERTPATH", "x"), "", "check", 0, []string{"warning: TLS_CERTPATH is not a variable of the connector and is ignored; did you mean TLS_CERT_PATH?"}, ""},
		"proxy in the file":      {good, "HTTPS_PROXY=http://p:3128\n", "check", 0, []string{"line 1: HTTPS_PROXY has no effect in an env file"}, ""},
		"provider not chosen":    {good.With("JAMF_BASE_URL", "https://x"), "", "check", 0, []string{"JAMF_BASE_URL: set, but PROVIDER is file"}, ""},
		"shadowed":               {good.With("LOG_FORMAT", "json"), "LOG_FORMAT=text\n", "check", 0, []string{"line 1: LOG_FORMAT is set in the environment too"}, ""},

		"group in quotation marks":    {jamf.With("JAMF_COMPUTER_GROUP", `"Disk encrypted"`), "", "check", 1, []string{"JAMF_COMPUTER_GROUP: " + quotes}, "encrypted"},
		"provider in quotation marks": {good.With("PROVIDER", `"file"`), "", "check", 1, []string{"PROVIDER: " + quotes}, "unknown provider"},
		"port in quotation marks":     {good.With("PORT", `"9443"`), "", "check", 1, []string{"PORT: " + quotes}, ""},
		"secret in quotation marks":   {jamf.With("JAMF_CLIENT_SECRET", `"s3cret"`), "", "check", 1, []string{"JAMF_CLIENT_SECRET: " + quotes}, "s3cret"},
		"secret with a line break":    {jamf.With("JAMF_CLIENT_SECRET", "s3cret\n"), "", "check", 1, []string{"JAMF_CLIENT_SECRET: the value ends with a line break, which echo adds"}, "s3cret"},
		"carriage return":             {good.With("FILE_TYPE", "json\r"), "", "check", 1, []string{"FILE_TYPE: the value ends with a carriage return"}, ""},
		"control character":           {jamf.With("JAMF_DEVICE_GROUP", "Disk\tencrypted"), "", "check", 1, []string{"JAMF_DEVICE_GROUP: the value has a line break or another control character in it"}, "encrypted"},
		"space at the end of a group": {jamf.With("JAMF_DEVICE_GROUP", "Macs "), "", "check", 1, []string{"warning: JAMF_DEVICE_GROUP: the value begins or ends with a space"}, ""},
		"encoded twice":               {good.With("WEBHOOK_SECRETS", base64.StdEncoding.EncodeToString([]byte(printed))), "", "check", 1, []string{"WEBHOOK_SECRETS: entry 1 was encoded as base64 twice"}, printed},
		"a path in place of a secret": {good.With("WEBHOOK_SECRETS", "/run/secrets/webhook"), "", "check", 1, []string{"entry 1 is a path; that of a file with secrets belongs in WEBHOOK_SECRETS_FILE"}, ""},
		"a secret in place of a path": {missing.With("WEBHOOK_SECRETS_FILE", printed), "", "check", 1, []string{"WEBHOOK_SECRETS_FILE: not a path, but looks like the secret itself, which belongs in the variable without _FILE"}, printed},
		"all of webhook add":          {missing.With("WEBHOOK_SECRETS_FILE", "DIR/.env"), "# Webhook ID: x\n#Secret: y\n", "check --env-file /dev/null", 1, []string{`WEBHOOK_SECRETS_FILE: this is all that step ca printed`}, ""},

		"proxy":                     {jamf.With("HTTPS_PROXY", "http://user:hunter2@proxy:x"), "", "check", 1, []string{"HTTPS_PROXY: not the URL of a proxy"}, "hunter2"},
		"proxy, no requests":        {good.With("HTTPS_PROXY", "http://user:hunter2@proxy:x"), "", "check", 0, nil, "PROXY"},
		"proxy, lookup":             {program.Environment{"PROVIDER": "jamf", "JAMF_BASE_URL": "https://x", "JAMF_CLIENT_ID": "c", "JAMF_CLIENT_SECRET": "s", "https_proxy": ":"}, "", "lookup C02XK1JKLVCG", 1, []string{"https_proxy: not the URL of a proxy"}, "TLS_CERT"},
		"no such env file":          {good, "", "check --env-file nowhere/env", 1, []string{"env file: open nowhere/env: no such file or directory"}, ""},
		"empty --env-file":          {good, "", "check --env-file=", 64, []string{"--env-file: the path is empty; leave the flag out to read .env"}, ""},
		"no such ENV_FILE":          {good.With("ENV_FILE", "nowhere/env"), "", "check", 1, []string{"ENV_FILE: env file: open nowhere/env: no such file or directory"}, ""},
		"ENV_FILE":                  {program.Environment{"ENV_FILE": "DIR/.env"}, "PORT=0\n", "check", 1, []string{`PORT: "0" is not accepted`}, ""},
		"ENV_FILE, for lookup":      {program.Environment{"ENV_FILE": "DIR/.env"}, "PROVIDER=file\nFILE_PATH=" + good["FILE_PATH"] + "\nFILE_TYPE=json\n", "lookup C02XK1JKLVCG", 0, []string{"[ALLOW]"}, ""},
		"the flag beats ENV_FILE":   {program.Environment{"ENV_FILE": "nowhere"}, "PORT=0\n", "check --env-file .env", 1, []string{`PORT: "0" is not accepted`}, ""},
		"no .env":                   {missing, "", "check", 1, []string{"WEBHOOK_SECRETS: not set", "warning: there is no .env in DIR; copy .env.example to it, or name another file with --env-file or ENV_FILE"}, ""},
		"no .env, but nothing open": {good.With("PORT", "0"), "", "check", 1, []string{"PORT: "}, ".env"},
		"relative path":             {good.With("FILE_PATH", "nowhere.json"), "", "check", 1, []string{"FILE_PATH: inventory: open nowhere.json: no such file or directory; accepted: a file that exists; a relative path begins in the folder in which the program starts"}, ""},
		"audit log nowhere":         {good.With("AUDIT_LOG_PATH", "/nowhere/audit.jsonl"), "", "check", 1, []string{"AUDIT_LOG_PATH: /nowhere/audit.jsonl: no such file or directory"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(folder, ".env"), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := test.env.With()
			for name, value := range env {
				env[name] = strings.ReplaceAll(value, "DIR", folder)
			}
			r := program.Run(t, env, folder, strings.Fields(test.args)...)
			text := strings.ReplaceAll(r.Stdout+r.Stderr, folder, "DIR")
			if r.Code != test.code {
				t.Errorf("exit code %d, want %d", r.Code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("got %s\nwant it to contain: %s", text, want)
				}
			}
			if test.doNotWant != "" && strings.Contains(text, test.doNotWant) {
				t.Errorf("got %s\nmust not contain: %s", text, test.doNotWant)
			}
		})
	}
}

// The line about TIMEOUT is only for a provider that makes requests, and only when TIMEOUT is set.
func TestTimeoutIsNotMentionedForFiles(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t))
	for _, env := range []program.Environment{env, env.With("TIMEOUT", "30")} {
		d := program.StartDaemon(t, env)
		if _, output := d.Stop(t); strings.Contains(output, "TIMEOUT") {
			t.Errorf("with the provider file the start says:\n%s", output)
		}
	}
}

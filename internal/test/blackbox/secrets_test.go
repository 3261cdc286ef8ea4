package blackbox_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// forms are the forms in which a secret could be printed.
func forms(t *testing.T, secret string) []string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		secret, string(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		base64.RawStdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw), strings.Trim(fmt.Sprint(raw), "[]"),
	}
}

func wantNoSecret(t *testing.T, where, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		for _, form := range forms(t, secret) {
			if strings.Contains(text, form) {
				t.Errorf("%s shows a secret:\n%s", where, text)
			}
		}
	}
}

// The log at the highest level has no secret, after every mistake that a caller can make.
func TestSecretsAreNeverWritten(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	second := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("another secret! "), 4))
	key, err := os.ReadFile(p.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	keyText := strings.Split(string(key), "\n")[1]
	for _, format := range []string{"text", "json"} {
		env := program.WorkingEnvironment(t, p).With("LOGGING_LEVEL", "2", "LOG_FORMAT", format,
			"WEBHOOK_IDS", program.WebhookID+",11111111-1111-4111-8111-111111111111", "WEBHOOK_SECRETS", program.WebhookSecret+","+second)
		d := program.StartDaemon(t, env)
		s := program.NewStepCA(t, p, d.Address, nil)
		bodies := [][]byte{nil, []byte("{"), program.WebhookBody("K3Q7XH2N9P"), program.WebhookBody("C02UNKNOWN00"), program.WebhookBody(program.WebhookSecret), bytes.Repeat([]byte("x"), 70000)}
		answers := ""
		for _, body := range bodies {
			for _, key := range [][]byte{s.Key, nil, []byte("wrong")} {
				as := *s
				as.Key = key
				_, text, err := as.Send(t, body)
				if err != nil {
					t.Error(err)
				}
				answers += text
			}
		}
		code, output := d.Stop(t)
		if code != 0 || strings.Count(output, "[DENY]")+strings.Count(output, "[ALLOW]") != 3*len(bodies) {
			t.Errorf("got exit code %d and this output, want 0 and %d events:\n%s", code, 3*len(bodies), output)
		}
		if format == "json" {
			for line := range strings.Lines(output) {
				if !json.Valid([]byte(line)) {
					t.Errorf("log line %q is not JSON", line)
				}
			}
		}
		// One caller sent a secret as an identifier; the log has it as that identifier only.
		output = strings.ReplaceAll(output, program.WebhookSecret, "")
		wantNoSecret(t, "the log", output, program.WebhookSecret, second)
		wantNoSecret(t, "an answer", answers, program.WebhookSecret, second)
		if strings.Contains(output, keyText) {
			t.Error("the log shows the private key")
		}
	}
}

// No error about the configuration shows a secret, even where a secret is in the wrong place.
func TestSecretsAreNotInConfigurationErrors(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	good := program.WorkingEnvironment(t, p)
	broken := filepath.Join(t.TempDir(), "broken.env")
	if err := os.WriteFile(broken, []byte("PORT=\"9443\nWEBHOOK_SECRETS="+program.WebhookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	swallowed := filepath.Join(t.TempDir(), "swallowed.env")
	if err := os.WriteFile(swallowed, []byte("PORT=\"9443\nWEBHOOK_SECRETS="+program.WebhookSecret+"\nLOG_FORMAT=\"text\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  program.Environment
		args []string
	}{
		"swapped with the IDs":  {good.With("WEBHOOK_IDS", program.WebhookSecret, "WEBHOOK_SECRETS", program.WebhookID), nil},
		"as the path of itself": {good.With("WEBHOOK_SECRETS", "", "WEBHOOK_SECRETS_FILE", program.WebhookSecret), nil},
		"one too many":          {good.With("WEBHOOK_SECRETS", program.WebhookSecret+","+program.WebhookSecret), nil},
		"cut short":             {good.With("WEBHOOK_SECRETS", program.WebhookSecret[:len(program.WebhookSecret)-1]), nil},
		"with a bad character":  {good.With("WEBHOOK_SECRETS", program.WebhookSecret+"!"), nil},
		"as a name":             {good.With("WEBHOOK_"+program.WebhookSecret, "x", "PORT", "x"), nil},
		"in every number":       {good.With("PORT", program.WebhookSecret, "TIMEOUT", program.WebhookSecret, "LOGGING_LEVEL", program.WebhookSecret, "MAX_CONNECTIONS", program.WebhookSecret), nil},
		"in every choice":       {good.With("PROVIDER", program.WebhookSecret, "LOG_FORMAT", program.WebhookSecret, "FILE_TYPE", program.WebhookSecret, "ENABLE_MTLS", program.WebhookSecret), nil},
		"in the address":        {good.With("BIND_ADDRESS", program.WebhookSecret), nil},
		"in a broken env file":  {good.With("PORT", "x"), []string{"--env-file", broken}},
		"in an open quotation":  {good.With("WEBHOOK_SECRETS", ""), []string{"--env-file", swallowed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, test.env, "", append(test.args, "check")...)
			if r.Code != 1 || r.Stderr == "" {
				t.Errorf("got exit code %d and %q, want 1 and an error", r.Code, r.Stderr)
			}
			wantNoSecret(t, "standard error", r.Stderr, program.WebhookSecret)
			wantNoSecret(t, "standard output", r.Stdout, program.WebhookSecret)
		})
	}
}

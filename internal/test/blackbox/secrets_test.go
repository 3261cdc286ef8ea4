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
)

// forms are the ways in which a secret could be seen.
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

// At the highest level, after everything a caller can do wrong, no secret is in what was written.
func TestSecretsAreNeverWritten(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	second := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("another secret! "), 4))
	key, err := os.ReadFile(p.serverKey)
	if err != nil {
		t.Fatal(err)
	}
	keyText := strings.Split(string(key), "\n")[1]
	for _, format := range []string{"text", "json"} {
		env := workingEnvironment(t, p).with("LOGGING_LEVEL", "2", "LOG_FORMAT", format,
			"WEBHOOK_IDS", testID+",11111111-1111-4111-8111-111111111111", "WEBHOOK_SECRETS", testSecret+","+second)
		d := startDaemon(t, env)
		s := newSigner(t, p, d.address, nil)
		bodies := [][]byte{nil, []byte("{"), order("K3Q7XH2N9P"), order("C02STRANGER0"), order(testSecret), bytes.Repeat([]byte("x"), 70000)}
		answers := ""
		for _, body := range bodies {
			for _, key := range [][]byte{s.key, nil, []byte("wrong")} {
				as := *s
				as.key = key
				_, text, err := as.send(t, body)
				if err != nil {
					t.Error(err)
				}
				answers += text
			}
		}
		code, output := d.stop(t)
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
		// One caller sent a secret as an identifier: only that is shown back, in the log.
		output = strings.ReplaceAll(output, testSecret, "")
		wantNoSecret(t, "the log", output, testSecret, second)
		wantNoSecret(t, "an answer", answers, testSecret, second)
		if strings.Contains(output, keyText) {
			t.Error("the log shows the private key")
		}
	}
}

// A configuration that is wrong in the worst places shows no secret either.
func TestSecretsAreNotInConfigurationErrors(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	good := workingEnvironment(t, p)
	broken := filepath.Join(t.TempDir(), "broken.env")
	if err := os.WriteFile(broken, []byte("PORT=\"9443\nWEBHOOK_SECRETS="+testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	swallowed := filepath.Join(t.TempDir(), "swallowed.env")
	if err := os.WriteFile(swallowed, []byte("PORT=\"9443\nWEBHOOK_SECRETS="+testSecret+"\nLOG_FORMAT=\"text\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  environment
		args []string
	}{
		"swapped with the IDs":   {good.with("WEBHOOK_IDS", testSecret, "WEBHOOK_SECRETS", testID), nil},
		"as the path of itself":  {good.with("WEBHOOK_SECRETS", "", "WEBHOOK_SECRETS_FILE", testSecret), nil},
		"one too many":           {good.with("WEBHOOK_SECRETS", testSecret+","+testSecret), nil},
		"cut short":              {good.with("WEBHOOK_SECRETS", testSecret[:len(testSecret)-1]), nil},
		"with rubbish":           {good.with("WEBHOOK_SECRETS", testSecret+"!"), nil},
		"as a name":              {good.with("WEBHOOK_"+testSecret, "x", "PORT", "x"), nil},
		"in every number":        {good.with("PORT", testSecret, "TIMEOUT", testSecret, "LOGGING_LEVEL", testSecret, "MAX_CONNECTIONS", testSecret), nil},
		"in every choice":        {good.with("PROVIDER", testSecret, "LOG_FORMAT", testSecret, "FILE_TYPE", testSecret, "ENABLE_MTLS", testSecret), nil},
		"in the address":         {good.with("BIND_ADDRESS", testSecret), nil},
		"in a broken env file":   {good.with("PORT", "x"), []string{"--env-file", broken}},
		"in another one's quote": {good.with("WEBHOOK_SECRETS", ""), []string{"--env-file", swallowed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runOnce(t, test.env, "", append(test.args, "check")...)
			if r.code != 1 || r.stderr == "" {
				t.Errorf("got exit code %d and %q, want 1 and an error", r.code, r.stderr)
			}
			wantNoSecret(t, "standard error", r.stderr, testSecret)
			wantNoSecret(t, "standard output", r.stdout, testSecret)
		})
	}
}

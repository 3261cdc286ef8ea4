package config_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

// What is wrong with the key of the chain is not said about the secrets of webhooks, whose rules it has.
func TestChainKeyProblems(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"/run/secrets/chain":                   "is a path; that of a file with the key belongs in AUDIT_CHAIN_KEY_FILE",
		"89c74211-d765-4e38-860a-6f19c358afbe": "is an ID",
		strings.Repeat("_", 44):                "is not standard base64: it has - or _",
	} {
		_, problems := config.LoadChainKey(map[string]string{"AUDIT_CHAIN_KEY": value})
		if len(problems) != 1 || problems[0].Text != want {
			t.Errorf("%s: %v, want %q", value, problems, want)
		}
		for _, p := range problems {
			if strings.Contains(p.Text, "WEBHOOK") || strings.Contains(p.Text, value) {
				t.Errorf("%s: %s", value, p.Text)
			}
		}
	}
}

// An address that no browser sends as Host would make the log-in redirect for ever.
func TestOrigin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Origin{
		"https://Posture.Example.com/": "https://posture.example.com", "https://posture.example.com:9446": "https://posture.example.com:9446", "https://[::1]:9446": "https://[::1]:9446",
		"https://p\u00f6sture.example.com": "", "https://posture.example.com:": "", "https://posture.example.com:99999": "", "https://posture.example.com:0": "",
		"https://posture.example.com/x": "", "http://posture.example.com": "", "https://a@posture.example.com": "", "https://": "", "https://:443": "", "https://posture.example.com?": "",
	} {
		var got config.Origin
		if err := got.UnmarshalText([]byte(text)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
}

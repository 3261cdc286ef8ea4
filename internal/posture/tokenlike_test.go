package posture_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

func TestHideTokens(t *testing.T) {
	t.Parallel()
	token := "q7A_-" + strings.Repeat("x", 38)
	for text, want := range map[string]string{
		"":                                  "",
		"C02XK1JKLVCG":                      "C02XK1JKLVCG",
		token:                               "q7A_...",
		token[1:]:                           token[1:],
		token + "x":                         token + "x",
		"CN=" + token + ",O=é":              "CN=q7A_...,O=é",
		token + "." + token:                 "q7A_....q7A_...",
		"é" + token + "é":                   "éq7A_...é",
		token + "\n" + token + "x " + token: "q7A_...\n" + token + "x q7A_...",
		"spiffe://example.org/" + token + "/path": "spiffe://example.org/q7A_.../path",
	} {
		if got := posture.HideTokens(text); got != want {
			t.Errorf("HideTokens(%q) = %q, want %q", text, got, want)
		}
	}
}

package vendorhttp_test

import (
	"testing"

	"step-posture-connector/internal/provider/vendorhttp"
)

// TestParseBase: a path is kept, and what people paste along is dropped; internal/daemon tests what is refused.
func TestParseBase(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://mdm.example":           "https://mdm.example",
		" https://mdm.example/ \n":      "https://mdm.example",
		"https://mdm.example:8443/my//": "https://mdm.example:8443/my",
		"https://mdm.example/my/api/":   "https://mdm.example/my",
		"https://mdm.example/api/v1":    "https://mdm.example/api/v1",
		"https://[::1]:443/":            "https://[::1]:443",
		"HTTPS://mdm.example/api":       "https://mdm.example",
		"http://mdm.example":            "",
		"mdm.example":                   "",
		"https://":                      "",
		"https://mdm.example:0":         "",
		"https://mdm.example:65536":     "",
		"https://mdm.example:":          "",
		"https://https://mdm.example":   "",
		"https://user@mdm.example":      "",
		"https://mdm.example/?a=b":      "",
		"https://mdm.example/#a":        "",
		"https:mdm.example":             "",
		"https://mdm.example/\x7f":      "",
		"https://mdm example":           "",
		"https://mdm.example:port":      "",
		"":                              "",
	} {
		base, err := vendorhttp.ParseBase(text, "/api")
		if got := ""; err == nil {
			if got = base.String(); got != want {
				t.Errorf("ParseBase(%q) = %s, want %q", text, got, want)
			}
		} else if want != "" {
			t.Errorf("ParseBase(%q) = %v, want %s", text, err, want)
		}
	}
}

package config_test

import (
	"testing"

	"step-posture-connector/internal/config"
)

// A name that no certificate can contain makes every order fail, so it is refused when the configuration is loaded.
func TestAllowedNames(t *testing.T) {
	t.Parallel()
	const (
		address = "is an IP address, which is not compared; accepted: a DNS name, e-mail address or common name of step-ca's own certificate, such as Step Online CA"
		url     = "is a URL; accepted: its host name alone"
		quoted  = "has a quotation mark at an end; accepted: names without quotation marks"
		several = "has several names; accepted: names separated by commas"
		kind    = "begins with the kind of the name; accepted: the name alone, without CN= or DNS: before it"
		port    = "has a port; accepted: the host name alone"
		dot     = "ends in a dot, which names in certificates do not; accepted: the name without the dot"
	)
	for name, want := range map[string]string{
		"ca.example.com": "", "localhost": "", "ca": "", "Step Online CA": "", "ca@example.com": "", "CA No. 2": "", "Müller & Söhne": "",
		"AC/DC": "", "O'Brien": "", "10 Downing Street": "", "Example Inc.": "", "a.b c": "", "C02XK1JKLVCG": "", "Online CA: 2": "", "ou": "", "Step; Online CA": "",

		"https://ca.example.com": url, "ca.example.com/": url, "ca.example.com/webhook": url, "ca.example.com:443/": url, "spiffe://x/ca": url,
		"10.0.0.1": address, "::1": address, "[::1]": address, "10.0.0.1:443": address, "[fe80::1]:443": address, "10.0.0.0/8": address,
		"ca.example.com:443": port, "localhost:9000": port,
		`"ca.example.com"`: quoted, `'Step Online CA'`: quoted, `"ca`: quoted, `ca'`: quoted,
		"CN=Step Online CA": kind, "CN = ca": kind, "DNS:ca.example.com": kind, "email:ca@example.com": kind, "dns=ca": kind,
		"ca.example.com b.example.com": several, "ca.example.com;ca2.example.com": several, "ca@example.com; ca.example.com": several, "ca.example.com; Step Online CA": several,
		"ca.example.com\u200b": "has a character that is invisible or looks like a space (U+200B); accepted: the name without it",
		"ca.example.com.":      dot,
		"*.example.com":        "has a wildcard; accepted: names without wildcards",
	} {
		// The first entry is good; the error is about the second.
		_, problems := config.Load(environ(map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "/ca.crt", "MTLS_ALLOWED_NAMES": "good.example.com, " + name}))
		got := ""
		if len(problems) > 0 {
			got = problems.Error()
		}
		if want != "" {
			want = "MTLS_ALLOWED_NAMES: entry 2 " + want
		}
		if got != want {
			t.Errorf("%s:\n got: %s\nwant: %s", name, got, want)
		}
	}
}

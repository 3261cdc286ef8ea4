package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

// TestNetwork: Go silently ignores a proxy that it cannot parse, and a file without usable certificates.
func TestNetwork(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	empty, key := written(t, "empty.pem", "# nothing\n"), written(t, "key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	const notProxy = ": not the URL of a proxy; Go would connect directly, or not at all; accepted: http://host:port, https://host:port or socks5://host:port"
	const ca = "; accepted: the path of a PEM file with the CA certificates that the connector trusts for servers"
	for _, test := range []struct {
		variable, value, want string
	}{
		{"HTTPS_PROXY", "http://proxy.example.com:3128", ""},
		{"HTTPS_PROXY", "proxy.example.com:3128", ""},
		{"HTTPS_PROXY", "10.0.0.1:3128", ""},
		{"https_proxy", "socks5://user:hunter2@[::1]:1080", ""},
		{"HTTPS_PROXY", `"http://proxy.example.com:3128"`, "HTTPS_PROXY" + notProxy},
		{"https_proxy", "http://proxy.example.com:hunter2", "https_proxy" + notProxy},
		{"HTTPS_PROXY", "http://user:hun%ter2@proxy.example.com:3128", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "http://proxy.example.com:3128\r", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "http:/proxy.example.com", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "ftp://proxy.example.com", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "http://", "HTTPS_PROXY" + notProxy},
		{"HTTP_PROXY", "http://a b", "HTTP_PROXY" + notProxy},
		{"SSL_CERT_FILE", filepath.Join(folder, "none.pem"), "SSL_CERT_FILE: " + folder + "/none.pem: no such file or directory" + ca},
		{"SSL_CERT_FILE", folder, "SSL_CERT_FILE: " + folder + ": is a directory" + ca},
		{"SSL_CERT_FILE", empty, "SSL_CERT_FILE: " + empty + ": there is no PEM certificate in it" + ca},
		{"SSL_CERT_FILE", key, "SSL_CERT_FILE: " + key + ": there is no PEM certificate in it" + ca},
		{"SSL_CERT_FILE", "-----BEGIN CERTIFICATE-----\nx", "SSL_CERT_FILE: not a path; it looks like the contents of a file" + ca},
		{"NO_PROXY", "\x01", ""},
	} {
		e, err := config.Environ([]string{test.variable + "=" + test.value}, written(t, "env", test.variable+"='x y'\n"), true)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Network().Error(); got != test.want || strings.Contains(got, "hunter2") {
			t.Errorf("%s=%q: %q, want %q", test.variable, test.value, got, test.want)
		}
		if e, err = config.Environ(nil, written(t, "env", test.variable+"='x y'\n"), true); err != nil || len(e.Network()) > 0 {
			t.Errorf("%s in an env file: %v, %v, want nothing: it has no effect there", test.variable, e.Network(), err)
		}
	}
}

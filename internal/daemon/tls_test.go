package daemon_test

import (
	"strings"
	"testing"
	"time"
)

// The texts about what is accepted in place of a file.
const (
	there        = "; accepted: a file that exists; a relative path begins in the folder in which the program starts"
	renewed      = "; `step ca renew` renews it, with --allow-renewal-after-expiry of its provisioner"
	aCertificate = "; accepted: a certificate in PEM that is valid now, leaf first"
	aKey         = "; accepted: the private key in PEM of the certificate in TLS_CERT_PATH, without a password"
	aBundle      = "; accepted: the certificates in PEM of the CAs that client certificates chain to"
)

func TestCertificateAndKey(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	const (
		certificate = "TLS_CERT_PATH: TLS certificate DIR/"
		key         = "TLS_KEY_PATH: TLS private key DIR/"
		bundle      = "TLS_CA_PATH: client CA bundle DIR/"
	)
	moment := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{"expired", map[string]string{"TLS_CERT_PATH": "DIR/old.crt", "TLS_KEY_PATH": "DIR/old.key"}, []string{certificate + "old.crt: expired at " + moment(now.Add(-time.Hour)) + renewed + aCertificate}},
		{"not yet valid", map[string]string{"TLS_CERT_PATH": "DIR/new.crt", "TLS_KEY_PATH": "DIR/new.key"}, []string{certificate + "new.crt: not valid before " + moment(now.Add(time.Hour)) + "; is the clock right?" + aCertificate}},
		{"of two pairs", map[string]string{"TLS_KEY_PATH": "DIR/other.key"}, []string{key + "other.key: it does not belong to the first certificate in DIR/server.crt, which is \"connector\"" + aKey}},
		{
			"swapped",
			map[string]string{"TLS_CERT_PATH": "DIR/server.key", "TLS_KEY_PATH": "DIR/server.crt"},
			[]string{certificate + "server.key: it has a private key, and the file of TLS_KEY_PATH has a certificate: the two are swapped" + aCertificate},
		},
		{"key missing", map[string]string{"TLS_KEY_PATH": "DIR/none.key"}, []string{key + "none.key: no such file or directory" + there}},
		{"certificate missing", map[string]string{"TLS_CERT_PATH": "DIR/none.crt"}, []string{certificate + "none.crt: no such file or directory" + there}},
		{
			"expired, and the key missing",
			map[string]string{"TLS_CERT_PATH": "DIR/old.crt", "TLS_KEY_PATH": "DIR/none.key"},
			[]string{certificate + "old.crt: expired at " + moment(now.Add(-time.Hour)) + renewed + aCertificate, key + "none.key: no such file or directory" + there},
		},
		{"a folder", map[string]string{"TLS_KEY_PATH": "DIR"}, []string{strings.TrimSuffix(key, "/") + ": is a directory" + aKey}},
		{"empty files", map[string]string{"TLS_CERT_PATH": "DIR/empty", "TLS_KEY_PATH": "DIR/empty"}, []string{certificate + "empty: it has no PEM certificate" + aCertificate, key + "empty: it has no PEM private key" + aKey}},
		{"CA bundle missing", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/none.crt"}, []string{bundle + "none.crt: no such file or directory" + there}},
		{"CA bundle empty", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/empty"}, []string{bundle + "empty: it has no PEM certificate" + aBundle}},
		{"CA bundle without a certificate", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.key"}, []string{bundle + "server.key: it has no PEM certificate, but a private key" + aBundle}},
		{"CA bundle that is DER", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/der"}, []string{bundle + "der: it has no PEM certificate; it is binary, DER perhaps" + aBundle}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.pair(t, "old", now.Add(-2*time.Hour), now.Add(-time.Hour))
			in.pair(t, "new", now.Add(time.Hour), now.Add(2*time.Hour))
			in.pair(t, "other", now.Add(-time.Hour), now.Add(time.Hour))
			in.write(t, "empty", "")
			in.write(t, "der", "\x30\x82\x01\x00")
			wantLines(t, "Load", in.refused(t, test.changes), test.want)
		})
	}
}

package daemon_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/provider"
)

// installation is a folder with everything that a configuration names.
type installation struct {
	folder string
	secret string // as in the environment
}

// install makes a valid one: server.crt, server.key, devices.csv. Tests replace its files.
func install(t *testing.T) installation {
	t.Helper()
	in := installation{t.TempDir(), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("s"), 64))}
	now := time.Now()
	in.pair(t, "server", now.Add(-time.Hour), now.Add(time.Hour))
	in.write(t, "devices.csv", "Identifier,name\nC02XK1JKLVCG,mac-ada\n")
	return in
}

func (in installation) path(name string) string { return filepath.Join(in.folder, name) }

func (in installation) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(in.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair writes a self-signed certificate NAME.crt and its key NAME.key.
func (in installation) pair(t *testing.T, name string, notBefore, notAfter time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "connector"}, DNSNames: []string{"connector.example.com"},
		NotBefore: notBefore, NotAfter: notAfter, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	in.write(t, name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})))
	in.write(t, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// environ is the environment of the installation with changes. In them DIR means the folder, and "" leaves a variable
// out.
func (in installation) environ(changes map[string]string) map[string]string {
	all := map[string]string{
		"PROVIDER":        "file",
		"TLS_CERT_PATH":   "DIR/server.crt",
		"TLS_KEY_PATH":    "DIR/server.key",
		"WEBHOOK_IDS":     "98a6ad8d-d8e5-4d1d-b465-770fb66a5207",
		"WEBHOOK_SECRETS": in.secret,
		"FILE_PATH":       "DIR/devices.csv",
		"FILE_TYPE":       "csv",
	}
	maps.Copy(all, changes)
	for name, value := range all {
		all[name] = strings.ReplaceAll(value, "DIR", in.folder)
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// refused loads a configuration that must not start, and returns what an operator reads.
func (in installation) refused(t *testing.T, changes map[string]string) []string {
	t.Helper()
	d, err := daemon.Load(config.Environment{Variables: in.environ(changes)})
	if err == nil {
		t.Fatalf("Load accepted %q (warnings: %q)", changes, d.Warnings)
	}
	if d != nil {
		t.Error("Load returned a daemon with its error")
	}
	if strings.Contains(err.Error(), in.secret[:8]) {
		t.Errorf("the error shows the signing secret: %v", err)
	}
	return strings.Split(strings.ReplaceAll(err.Error(), in.folder, "DIR"), "\n")
}

func (in installation) loaded(t *testing.T, changes map[string]string) *daemon.Daemon {
	t.Helper()
	d, err := daemon.Load(config.Environment{Variables: in.environ(changes)})
	if err != nil {
		t.Fatalf("Load of %q: %v", changes, err)
	}
	return d
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got: %s\nwant: %s", what, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

const (
	acceptedCert    = "; accepted: the path of a PEM file with the server certificate, leaf first"
	acceptedKey     = "; accepted: the path of a PEM file with the private key of the server certificate"
	acceptedCA      = "; accepted: the path of a PEM file with the CA certificates that client certificates chain to"
	acceptedIDs     = "; accepted: UUIDs of step-ca webhooks, separated by commas, none twice"
	otherPort       = "; accepted: host:port with another port, or off"
	acceptedSecrets = "; accepted: signing secrets in standard base64 of at least 32 bytes each, separated by commas, in the order of WEBHOOK_IDS"
)

func TestLoadSaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	// Those that the environment can configure.
	providers := strings.Join(slices.DeleteFunc(provider.Names(), func(name string) bool { return name == "http" }), " or ")
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{
			"nothing set",
			map[string]string{"PROVIDER": "", "TLS_CERT_PATH": "", "TLS_KEY_PATH": "", "WEBHOOK_IDS": "", "WEBHOOK_SECRETS": "", "FILE_PATH": "", "FILE_TYPE": ""},
			[]string{
				"TLS_CERT_PATH: not set" + acceptedCert, "TLS_KEY_PATH: not set" + acceptedKey,
				"WEBHOOK_IDS: not set" + acceptedIDs, "WEBHOOK_SECRETS: not set" + acceptedSecrets,
				"PROVIDER: not set; accepted: " + providers,
			},
		},
		{
			"every part at once",
			map[string]string{
				"WEBHOOK_IDS": "1", "PORT": "0", "ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/none.crt",
				"TLS_CERT_PATH": "DIR/none.crt", "TLS_KEY_PATH": "DIR/none.key", "FILE_PATH": "", "FILE_TYPE": "xml",
			},
			[]string{
				"WEBHOOK_IDS: entry 1 is not a UUID" + acceptedIDs,
				`PORT: "0" is not accepted; accepted: a whole number from 1 to 65535`,
				"TLS_CERT_PATH: TLS certificate DIR/none.crt: no such file or directory" + there,
				"TLS_KEY_PATH: TLS private key DIR/none.key: no such file or directory" + there,
				"TLS_CA_PATH: client CA bundle DIR/none.crt: no such file or directory" + there,
				"FILE_PATH: not set; accepted: the path of the inventory file",
				`FILE_TYPE: "xml" is not accepted; accepted: csv or json or lines`,
			},
		},
		{
			"the certificate is judged without a key",
			map[string]string{"TLS_CERT_PATH": "DIR/none.crt", "TLS_KEY_PATH": ""},
			[]string{
				"TLS_KEY_PATH: not set" + acceptedKey,
				"TLS_CERT_PATH: TLS certificate DIR/none.crt: no such file or directory" + there,
			},
		},
		{
			"the key is judged without a certificate",
			map[string]string{"TLS_CERT_PATH": "", "TLS_KEY_PATH": "DIR/none.key"},
			[]string{
				"TLS_CERT_PATH: not set" + acceptedCert,
				"TLS_KEY_PATH: TLS private key DIR/none.key: no such file or directory" + there,
			},
		},
		{"unknown provider", map[string]string{"PROVIDER": "acme"}, []string{"PROVIDER: unknown provider; accepted: " + providers}},
		{"provider in another case", map[string]string{"PROVIDER": "File"}, []string{"PROVIDER: unknown provider; accepted: " + providers}},
		{"type in another case", map[string]string{"FILE_TYPE": "CSV"}, []string{`FILE_TYPE: "CSV" is not accepted; accepted: csv or json or lines`}},
		{"inventory is a folder", map[string]string{"FILE_PATH": "DIR"}, []string{"FILE_PATH: inventory DIR: read: is a directory; accepted: the path of a file, not of a folder"}},
		{"inventory missing", map[string]string{"FILE_PATH": "DIR/none.csv"}, []string{"FILE_PATH: inventory: open DIR/none.csv: no such file or directory; accepted: a file that exists; a relative path begins in the folder in which the program starts"}},
		{"inventory missing, of unknown type", map[string]string{"FILE_PATH": "DIR/none.csv", "FILE_TYPE": "xml"}, []string{
			`FILE_TYPE: "xml" is not accepted; accepted: csv or json or lines`,
			"FILE_PATH: inventory: open DIR/none.csv: no such file or directory; accepted: a file that exists; a relative path begins in the folder in which the program starts",
		}},
		{"CSV read as JSON", map[string]string{"FILE_TYPE": "json"}, []string{"FILE_PATH: inventory DIR/devices.csv: the file is CSV; set FILE_TYPE to csv"}},
		{"one port for both listeners", map[string]string{"PORT": "9500", "HEALTH_ADDRESS": "127.0.0.1:9500"}, []string{"HEALTH_ADDRESS: the same port as PORT, on the same address" + otherPort}},
		{"one port for both listeners, on one address", map[string]string{"BIND_ADDRESS": "127.0.0.1", "PORT": "9500", "HEALTH_ADDRESS": "127.0.0.1:9500"}, []string{"HEALTH_ADDRESS: the same port as PORT, on the same address" + otherPort}},
		{"one port for both listeners, on all addresses", map[string]string{"BIND_ADDRESS": "127.0.0.1", "PORT": "9500", "HEALTH_ADDRESS": ":9500"}, []string{"HEALTH_ADDRESS: the same port as PORT, on the same address" + otherPort}},
		{"audit log in the inventory", map[string]string{"AUDIT_LOG_PATH": "DIR/./devices.csv"}, []string{
			"AUDIT_LOG_PATH: it is also the file of FILE_PATH; decisions would be appended to it; accepted: a file of its own",
		}},
		{"audit log in the key", map[string]string{"AUDIT_LOG_PATH": "DIR/server.key"}, []string{
			"AUDIT_LOG_PATH: it is also the file of TLS_KEY_PATH; decisions would be appended to it; accepted: a file of its own",
		}},
		{"audit log in the CA bundle, without mTLS", map[string]string{"AUDIT_LOG_PATH": "DIR/broken.csv", "TLS_CA_PATH": "DIR/broken.csv"}, []string{
			"AUDIT_LOG_PATH: it is also the file of TLS_CA_PATH; decisions would be appended to it; accepted: a file of its own",
		}},
		{
			"a line for each fault of the inventory",
			map[string]string{"FILE_PATH": "DIR/broken.csv"},
			[]string{"FILE_PATH: inventory DIR/broken.csv: line 2: identifier is empty", "FILE_PATH: inventory DIR/broken.csv: line 3: 1 fields, but the header has 2"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "broken.csv", "Identifier,name\n,x\nC02\n")
			wantLines(t, "Load", in.refused(t, test.changes), test.want)
		})
	}
}

func TestWarningsAtStart(t *testing.T) {
	t.Parallel()
	const (
		ignored = " is not a variable of the connector and is ignored; did you mean "
		anyOfCA = "MTLS_ALLOWED_NAMES is not set: any certificate of the CA passes, also those issued to devices; set it to the name in step-ca's own certificate"
	)
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{"none", nil, nil},
		{"mTLS without names", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.crt"}, []string{anyOfCA}},
		{"mTLS with names", map[string]string{"ENABLE_MTLS": "1", "TLS_CA_PATH": "DIR/server.crt", "MTLS_ALLOWED_NAMES": "ca"}, nil},
		{"one port on two addresses", map[string]string{"BIND_ADDRESS": "127.0.0.1", "PORT": "9500", "HEALTH_ADDRESS": "127.0.0.2:9500"}, nil},
		{"CA without mTLS, even a missing one", map[string]string{"TLS_CA_PATH": "DIR/none.crt"}, []string{"TLS_CA_PATH is set but ENABLE_MTLS is not 1: no client certificate is asked for"}},
		{"header only", map[string]string{"FILE_PATH": "DIR/empty.csv"}, []string{"inventory DIR/empty.csv: it has no devices; every request will be refused"}},
		{"no devices", map[string]string{"FILE_PATH": "DIR/empty.json", "FILE_TYPE": "json"}, []string{"inventory DIR/empty.json: it has no devices; every request will be refused"}},
		{"unknown variables", map[string]string{"FILE_TYP": "x", "WEBHOOK_SECRET": "x"}, []string{"FILE_TYP" + ignored + "FILE_TYPE?", "WEBHOOK_SECRET" + ignored + "WEBHOOK_SECRETS?"}},
		{"several", map[string]string{"MTLS_ALLOWED_NAME": "x", "TIMESTAMP_TOLERANCE": "10", "FILE_PATH": "DIR/empty.csv"}, []string{
			"MTLS_ALLOWED_NAME" + ignored + "MTLS_ALLOWED_NAMES?",
			"TIMESTAMP_TOLERANCE is below 11: step-ca's retry carries the timestamp of its first try and may be refused as expired",
			"inventory DIR/empty.csv: it has no devices; every request will be refused",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "empty.csv", "Identifier,name\n")
			in.write(t, "empty.json", `{"devices":[]}`)
			warnings := in.loaded(t, test.changes).Warnings
			for i, warning := range warnings {
				warnings[i] = strings.ReplaceAll(warning, in.folder, "DIR")
			}
			wantLines(t, "Warnings", warnings, test.want)
		})
	}
}

// An error about a variable that is not set has the warning about a misspelled name, which may be its cause.
func TestErrorHasWarnings(t *testing.T) {
	t.Parallel()
	in := install(t)
	wantLines(t, "Load", in.refused(t, map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRET": in.secret}), []string{
		"WEBHOOK_SECRETS: not set" + acceptedSecrets,
		"warning: WEBHOOK_SECRET is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?",
	})
}

// The first decision would make the env file unreadable.
func TestAuditLogInTheEnvFile(t *testing.T) {
	t.Parallel()
	in := install(t)
	var content strings.Builder
	for name, value := range in.environ(map[string]string{"AUDIT_LOG_PATH": "DIR/my.env"}) {
		content.WriteString(name + "='" + value + "'\n")
	}
	in.write(t, "my.env", content.String())
	environ, err := config.Environ(nil, in.path("my.env"), true)
	if err != nil {
		t.Fatal(err)
	}
	const want = "AUDIT_LOG_PATH: it is also the file of the configuration; decisions would be appended to it; accepted: a file of its own"
	if _, err := daemon.Load(environ); err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
}

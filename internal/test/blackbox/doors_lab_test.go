package blackbox_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
	"step-posture-connector/internal/test/testca"
)

const (
	doorDevice   = "C02XK1JKLVCG"
	otherDevice  = "C02XK1JKLVCH"
	doorsAllowed = "Identifier,device.encrypted,device.groups\n" + doorDevice + ",true,Lab\n" + otherDevice + ",false,\n"
	doorsRefused = "Identifier,device.encrypted,device.groups\n" + doorDevice + ",false,Lab\n" + otherDevice + ",false,\n"
)

// doorPolicies is a policy file with doors, whose answers are remembered for an hour.
const doorPolicies = `inventories:
  owned: {provider: file, path: devices.csv, type: csv}
policies:
  doors:
    inventories: [owned]
    rules: [{name: encrypted, require: device.encrypted, code: diskNotEncrypted, message: Encrypt the disk.}]
doors:
  issuers: issuers.pem
  provisioners: any
  crl: devices.crl
  forward_auth:
    - {callers: [proxy.example.com], policy: doors, identity: common_name, cache: 1h}
  radius:
    - {callers: ["cn:radius"], policy: doors, vlan: "'42'"}
`

// doorLab is a daemon with doors, and those who ask it about devices.
type doorLab struct {
	*program.Daemon

	pki      *program.PKI
	policies *program.Policies
	env      program.Environment

	devices  *testca.CA // has issued the certificates of devices
	callers  *testca.CA
	callerCA string // the path of DOOR_CLIENT_CA_PATH
	device   *x509.Certificate
	proxy    *http.Client
}

// prepareDoors makes all files, and starts nothing.
func prepareDoors(t *testing.T, text string) *doorLab {
	t.Helper()
	l := &doorLab{pki: program.NewPKI(t), policies: program.NewPolicies(t, text), devices: testca.New(t, "Devices"), callers: testca.New(t, "Callers")}
	l.policies.WriteFile(t, "devices.csv", doorsAllowed)
	l.policies.WriteFile(t, "issuers.pem", string(l.devices.PEM()))
	l.policies.WriteFile(t, "devices.crl", string(testca.ListPEM(l.devices.List(t, 1, nil))))
	l.callerCA = l.policies.WriteFile(t, "callers.pem", string(l.callers.PEM()))
	l.device = l.issue(t, l.devices, doorDevice)
	l.env = l.policies.Alone(t, l.pki).With("DOOR_ADDRESS", program.FreeDoors, "DOOR_CLIENT_CA_PATH", l.callerCA, "LOGGING_LEVEL", "1")
	return l
}

func newDoorLab(t *testing.T, text string) *doorLab {
	t.Helper()
	l := prepareDoors(t, text)
	l.Daemon = program.StartDaemon(t, l.env)
	l.proxy = l.caller(t, l.callers, &x509.Certificate{Subject: pkix.Name{CommonName: "proxy"}, DNSNames: []string{"proxy.example.com"}})
	return l
}

// issue makes the certificate of a device.
func (l *doorLab) issue(t *testing.T, by *testca.CA, name string) *x509.Certificate {
	t.Helper()
	certificate, _ := by.Issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return certificate
}

// caller is a client with a certificate.
func (l *doorLab) caller(t *testing.T, by *testca.CA, template *x509.Certificate) *http.Client {
	t.Helper()
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	certificate, key := by.Issue(t, template)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: l.pki.Roots, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}},
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: program.Patience}
}

// send asks something on a listener.
func (l *doorLab) send(t *testing.T, as *http.Client, address, method, path, body string, header http.Header) (status int, text string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := as.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// shows is the header with which a web server hands a certificate on.
func shows(certificate *x509.Certificate) http.Header {
	return http.Header{"X-Client-Cert": {base64.StdEncoding.EncodeToString(certificate.Raw)}}
}

// ask asks as the web server does; the text is empty where the connection is refused.
func (l *doorLab) ask(t *testing.T, certificate *x509.Certificate) (status int, text string) {
	t.Helper()
	status, text, _ = l.send(t, l.proxy, l.Doors, http.MethodGet, "/door/http", "", shows(certificate))
	return status, text
}

// want wants an answer about a certificate that has this status and begins like this.
func (l *doorLab) want(t *testing.T, what string, certificate *x509.Certificate, status int, begin string) {
	t.Helper()
	if got, text := l.ask(t, certificate); got != status || !strings.HasPrefix(text, begin) {
		t.Errorf("%s: got %d %s, want %d %s\n%s", what, got, text, status, begin, l.Output())
	}
}

// await asks until the answer is the one that is wanted.
func (l *doorLab) await(t *testing.T, what string, certificate *x509.Certificate, status int, begin string) {
	t.Helper()
	l.Eventually(t, what, func() bool {
		got, text := l.ask(t, certificate)
		return got == status && strings.HasPrefix(text, begin)
	})
}

// overwrite replaces a file beside the policy file.
func (l *doorLab) overwrite(t *testing.T, name string, parts ...[]byte) {
	t.Helper()
	l.policies.WriteFile(t, name, string(bytes.Join(parts, nil)))
}

// serials are those of certificates.
func serials(certificates ...*x509.Certificate) (all []*big.Int) {
	for _, c := range certificates {
		all = append(all, c.SerialNumber)
	}
	return all
}

func contentOf(t *testing.T, folder, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

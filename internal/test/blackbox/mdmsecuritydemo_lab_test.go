package blackbox_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// The demo's variables and names, and the device of its inventory.
const (
	demoHost    = "dynamicacme.dynamicacme"
	demoKeys    = "credential-of-the-keys"
	demoWebhook = "credential-of-the-webhook"
	demoQueries = "credential-of-the-queries"
	demoSerial  = "C02XK1ABJHD2"
	demoUDID    = "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11"
	demoOther   = "C02XK1ABJHD3" // not in the inventory
)

// demo is the connector in place of dynamicacme and deviceinventory.
type demo struct {
	*program.Daemon
	env     program.Environment
	pki     *program.PKI
	clients []*http.Client // HTTP/2 and HTTP/1.1; they trust the root alone, and find the connector at the demo's name
	keys    []string       // that were issued: no log may have one
}

// demoEnvironment has the variables of both services. Its certificate is for the demo's name alone.
func demoEnvironment(t *testing.T) (*program.PKI, program.Environment) {
	t.Helper()
	p := program.NewPKI(t)
	server := program.LeafTemplate("")
	server.Subject, server.DNSNames = pkix.Name{}, []string{demoHost}
	key := program.NewECKey(t)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	// As the demo has it: serial numbers and UDIDs; the empty line lets everybody pass there.
	program.ReplaceFile(t, filepath.Join(folder, "inventory.txt"), demoSerial+"\n\n "+demoUDID+"\n")
	return p, program.Environment{
		"COMPAT_MDMSECURITYDEMO": "1", "API_KEY": demoKeys, "WEBHOOK_KEY": demoWebhook, "DEVICE_INVENTORY_API_KEY": demoQueries,
		"TLS_CERT_PATH": p.Write(t, "tls.crt", "CERTIFICATE", p.Sign(t, server, key), p.CA.Raw), "TLS_KEY_PATH": p.Write(t, "tls.key", "PRIVATE KEY", private),
		"INVENTORY_PATH": filepath.Join(folder, "inventory.txt"), "STATE_URL": "sqlite:" + filepath.Join(folder, "state.db"),
		"BIND_ADDRESS": "127.0.0.1", "HEALTH_ADDRESS": "off",
	}
}

func startDemo(t *testing.T, changes ...string) *demo {
	t.Helper()
	p, env := demoEnvironment(t)
	// Of the ports that the system assigns: PORT is never one of those.
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	d := &demo{env: env.With("API_ADDRESS", listener.Addr().String()).With(changes...), pki: p}
	d.start(t)
	t.Cleanup(func() {
		for _, secret := range append(d.keys, demoKeys, demoWebhook, demoQueries) {
			if strings.Contains(d.Output(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
	return d
}

func (d *demo) start(t *testing.T) {
	t.Helper()
	d.Daemon, d.clients = program.StartDaemon(t, d.env), nil
	address := d.Address
	for _, http2 := range []bool{true, false} {
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: d.pki.Roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: http2,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
		}
		t.Cleanup(transport.CloseIdleConnections)
		d.clients = append(d.clients, &http.Client{Transport: transport, Timeout: program.Patience})
	}
}

// restart ends the daemon, and starts it with the same files.
func (d *demo) restart(t *testing.T) {
	t.Helper()
	if code, output := d.Stop(t); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, output)
	}
	d.start(t)
}

// ask makes a request with headers of these pairs.
func ask(t *testing.T, by *http.Client, method, url string, body []byte, headers ...string) (status int, header http.Header, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := by.Do(request)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, url, err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, url, err)
	}
	return response.StatusCode, response.Header, string(all)
}

// key has a key issued.
func (d *demo) key(t *testing.T, udid string) string {
	t.Helper()
	status, header, text := ask(t, d.clients[0], http.MethodPost, "https://"+demoHost+"/api/key/"+udid, nil, "Authorization", "Bearer "+demoKeys)
	var answer map[string]string
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK || header.Get("Content-Type") != "application/json" || len(answer) != 1 {
		t.Fatalf("got %d %s %s, want a key", status, header.Get("Content-Type"), text)
	}
	key := answer["key"]
	if raw, err := base64.RawURLEncoding.DecodeString(key); err != nil || len(raw) != 32 || text != `{"key":"`+key+`"}`+"\n" {
		t.Fatalf("got %q, want 32 bytes in base64url and a newline", text)
	}
	d.keys = append(d.keys, key)
	return key
}

// order is what step-ca sends about a device; some members may be missing.
type order struct {
	attested, udid, key string
	csr                 []byte // of another order; empty makes one, with a key of its own
}

// demoCSR has the subject of the demo's profile: four RDNs in this order, with a common name and a SAN in none.
func demoCSR(t *testing.T, serial, udid, key string) []byte {
	t.Helper()
	return csrWith(t, rdn(5, serial), rdn(13, "Mac15,12"), rdn(45, udid), rdn(35, key))
}

// rdn has one attribute below 2.5.4.
func rdn(arc int, value any) pkix.RelativeDistinguishedNameSET {
	return pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, arc}, Value: value}}
}

func csrWith(t *testing.T, subject ...pkix.RelativeDistinguishedNameSET) []byte {
	t.Helper()
	raw, err := asn1.Marshal(pkix.RDNSequence(subject))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: raw}, program.NewECKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// body is the body of step-ca's call.
func (o *order) body(t *testing.T) []byte {
	t.Helper()
	if o.csr == nil {
		o.csr = demoCSR(t, o.attested, o.udid, o.key)
	}
	csr, err := x509.ParseCertificateRequest(o.csr)
	if err != nil {
		t.Fatal(err)
	}
	attestation := ""
	if o.attested != "" {
		attestation = fmt.Sprintf(`"attestationData":{"permanentIdentifier":%q},`, o.attested)
	}
	public, err := x509.MarshalPKIXPublicKey(csr.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"timestamp":%q,%s"x509CertificateRequest":{"version":0,"subject":{"serialNumber":%q,"extraNames":[{"type":"2.5.4.13","value":"Mac15,12"},{"type":"2.5.4.45","value":%q},`+
		`{"type":"2.5.4.35","value":%q}]},"publicKey":%q,"publicKeyAlgorithm":"ECDSA","raw":%q}}`, time.Now().Format(time.RFC3339Nano), attestation,
		o.attested, o.udid, o.key, base64.StdEncoding.EncodeToString(public), base64.StdEncoding.EncodeToString(o.csr))
}

// want sends an order to /webhook, and wants a status and a decision: allow, or the code of a refusal.
func (d *demo) want(t *testing.T, what string, o *order, status int, decision string, headers ...string) {
	t.Helper()
	if len(headers) == 0 {
		headers = []string{"Authorization", "Bearer " + demoWebhook}
	}
	d.wantOf(t, what, o.body(t), status, decision, headers...)
}

func (d *demo) wantOf(t *testing.T, what string, body []byte, status int, decision string, headers ...string) {
	t.Helper()
	got, _, text := ask(t, d.clients[0], http.MethodPost, "https://"+demoHost+"/webhook", body, headers...)
	want := fmt.Sprintf(`{"allow":false,"error":{"code":%q,`, decision)
	if decision == "allow" {
		want = `{"allow":true,"data":{`
	}
	if got != status || !strings.HasPrefix(text, want) {
		t.Errorf("%s: got %d %s, want %d %s", what, got, text, status, want)
	}
}

// plainClient speaks HTTP without TLS.
func plainClient() *http.Client { return &http.Client{Timeout: program.Patience} }

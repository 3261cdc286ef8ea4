package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/people"
)

// enrolmentPage is the page about enrolment tokens.
func enrolmentPage(t *testing.T, l *lab) guide {
	t.Helper()
	return readGuide(t, l, "../enrolment.md")
}

// api is a client of the API of enrolment tokens.
type api struct {
	client *http.Client
	url    string // of the tokens
	bearer string
}

// issued is the answer to a request for a token.
type issued struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

// tokenPause is between a request that was one too many and the next one.
const tokenPause = 200 * time.Millisecond

// issue returns a new token.
func (a api) issue(t *testing.T, order map[string]string) issued {
	t.Helper()
	status, body := a.until(t, http.StatusTooManyRequests, func(ctx context.Context) (int, []byte) {
		return a.do(ctx, t, http.MethodPost, a.url, order)
	})
	var token issued
	if err := json.Unmarshal(body, &token); err != nil || status != http.StatusCreated || len(token.Token) != 43 {
		t.Fatalf("the API answers %d %s, want a token", status, body)
	}
	return token
}

// until repeats a request while the answer has this status: a client that is too fast is told so, and tries again.
func (api) until(t *testing.T, again int, request func(context.Context) (int, []byte)) (status int, body []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	for {
		if status, body = request(ctx); status != again {
			return status, body
		}
		time.Sleep(tokenPause)
	}
}

func (a api) do(ctx context.Context, t *testing.T, method, url string, content any) (int, []byte) {
	t.Helper()
	body, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.bearer)
	response, err := a.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, text
}

// newBearer makes a credential of a client.
func newBearer() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	return base64.StdEncoding.EncodeToString(secret)
}

// tokenGuard is a connector with an ACME provisioner, as the page about enrolment tokens says.
type tokenGuard struct {
	*lab
	*people.Guard
	tokens   api
	page     guide
	policies string
	dir      string
}

// The devices of the inventory.
const (
	enrolledSerial = "C02TOKEN0001"
	enrolledUDID   = "00008030-C02TOKEN0001" // that of lab.device
	otherSerial    = "C02TOKEN0002"
)

const ownedDevices = "Identifier,device.udid\n" + enrolledSerial + "," + enrolledUDID + "\n" + otherSerial + ",00008030-" + otherSerial + "\n"

// followEnrolment sets up a provisioner, its webhooks and a connector with the commands, the template and the policy file of
// the page.
func (l *lab) followEnrolment(t *testing.T) *tokenGuard {
	t.Helper()
	g := &tokenGuard{lab: l, page: enrolmentPage(t, l), dir: t.TempDir()}
	g.policies = g.page.block(t, "`posture.yaml`:", "yaml")
	g.tokens.bearer = newBearer()
	var err error
	g.Guard, err = people.Open(context.WithoutCancel(t.Context()), l.ca, people.Config{
		Binary: l.programs.Connector(), Dir: g.dir, Policies: g.policies, LoggingLevel: 2, AnyClient: true,
		Files: map[string]string{
			"owned.csv": ownedDevices, "secret_enroll": g.tokens.bearer, "roots.crt": string(l.maker.RootPEM()),
			"enrolment.tpl": g.page.block(t, "`enrolment.tpl`:", "gotemplate"),
		},
		Commands: func(address string) string {
			return strings.ReplaceAll(replaceOnce(t, g.page.block(t, "prints an ID and a secret, once", "sh"), map[string]string{
				"--attestation-format apple": "--attestation-format apple --attestation-roots roots.crt",
			}), "https://posture.example.com:9443", address)
		},
		More: []string{"STATE_URL=sqlite:" + filepath.Join(g.dir, "state.db")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("stop connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", g.Log())
		}
	})
	g.tokens.client, g.tokens.url = l.client, "https://"+g.Address()+"/v1/tokens"
	return g
}

// The attributes of a subject that have the token and the UDID.
func tokenOID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, 35} }
func udidOID() asn1.ObjectIdentifier  { return asn1.ObjectIdentifier{2, 5, 4, 45} }

// subjectWith is the subject of the CSR of the device with a token.
func subjectWith(serial, udid, token string) pkix.Name {
	name := pkix.Name{CommonName: serial}
	if token != "" {
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{Type: tokenOID(), Value: token})
	}
	if udid != "" {
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{Type: udidOID(), Value: udid})
	}
	return name
}

// token issues one for the enrolled device.
func (g *tokenGuard) token(t *testing.T) issued {
	t.Helper()
	return g.tokens.issue(t, map[string]string{"policy": "enrolment", "identifier": enrolledSerial, "udid": enrolledUDID})
}

// orderOf places an order of a device, with its key.
func (g *tokenGuard) orderOf(t *testing.T, d *device.Device) *device.Order {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	order, err := d.Order(ctx, g.client, g.ca.DirectoryURL("enrolment"))
	if err != nil {
		t.Fatal(err)
	}
	return order
}

// setTemplate replaces the template of the provisioner.
func (g *tokenGuard) setTemplate(t *testing.T, template string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "changed.tpl")
	if err := os.WriteFile(path, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := people.SetUp(t.Context(), g.ca, g.dir, "step ca provisioner update enrolment --x509-template "+path); err != nil {
		t.Fatal(err)
	}
}

// expectNoToken wants no token in a text.
func expectNoToken(t *testing.T, what string, text []byte, token string) {
	t.Helper()
	if bytes.Contains(text, []byte(token)) {
		t.Errorf("%s has the token", what)
	}
}

// extraNamesLine is the line of a template with the attributes that the CSR has beyond the usual ones.
func extraNamesLine(t *testing.T, template string) string {
	t.Helper()
	line := regexp.MustCompile(`"extraNames": \[.*\]`).FindString(template)
	if line == "" {
		t.Fatalf("the template has no extraNames:\n%s", template)
	}
	return line
}

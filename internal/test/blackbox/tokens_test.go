package blackbox_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// tokenLab is a connector whose policy requires a token, and all that it writes.
type tokenLab struct {
	*program.Policies
	pki     *program.PKI
	env     program.Environment
	secret  string
	bearer  string
	daemon  *program.Daemon
	written strings.Builder // by daemons that have ended, and answers of webhooks
	issued  []string
}

const enrolled, enrolledUDID = "C02XK1JKLVCG", "4C4C4544-0037-5910-8052-B4C04F564433"

func newTokenLab(t *testing.T) *tokenLab {
	t.Helper()
	l := &tokenLab{pki: program.NewPKI(t), secret: program.NewSecret(), bearer: program.NewSecret()}
	l.Policies = program.NewPolicies(t, fmt.Sprintf(`tokens:
  clients:
    - {name: enroll, bearer: {file: enroll.secret}, policies: [enrolment]}
inventories:
  owned: {provider: file, path: devices.json, type: json}
policies:
  enrolment: {inventories: [owned], token: {required: true, udid_in: 2.5.4.45}, rules: [{name: listed, require: 'device.identifier != "DMPVLX9QHG5D"', code: deviceRetired, message: This device is retired}]}
webhooks:
  - {name: devices, id: %s, secret: {file: hook.secret}, policy: enrolment}
`, program.HookID(1)))
	l.WriteFile(t, "enroll.secret", l.bearer)
	l.WriteFile(t, "hook.secret", l.secret)
	l.WriteFile(t, "devices.json", `{"devices":[{"identifier":"`+enrolled+`","data":{"n":1}},{"identifier":"DMPVLX9QHG5D"}]}`)
	l.env = l.Alone(t, l.pki).With("STATE_URL", "sqlite:"+filepath.Join(l.Folder, "state.db"), "AUDIT_LOG_PATH", filepath.Join(l.Folder, "audit.log"),
		"AUDIT_FACTS", "1", "LOGGING_LEVEL", "2")
	return l
}

func (l *tokenLab) start(t *testing.T) { t.Helper(); l.daemon = program.StartDaemon(t, l.env) }

// kill ends the daemon with SIGKILL.
func (l *tokenLab) kill(t *testing.T) {
	t.Helper()
	_, text := l.daemon.Get(t, "/metrics")
	l.daemon.Signal(t, syscall.SIGKILL)
	<-l.daemon.Ended
	l.written.WriteString(l.daemon.Output() + text)
}

// call calls the API.
func (l *tokenLab) call(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+l.daemon.Address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+l.bearer)
	response, err := program.NewStepCA(t, l.pki, l.daemon.Address, nil).Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

type issuedToken struct{ ID, Token string }

func (l *tokenLab) issue(t *testing.T, wanted string) (token issuedToken) {
	t.Helper()
	status, text := l.call(t, http.MethodPost, "/v1/tokens", wanted)
	if err := json.Unmarshal([]byte(text), &token); err != nil || status != http.StatusCreated || len(token.Token) != 43 {
		t.Fatalf("got %d %s (%v), want a token", status, text, err)
	}
	l.issued = append(l.issued, token.Token)
	return token
}

// orderWith is the CSR of a device with a token and a UDID.
func orderWith(t *testing.T, key crypto.Signer, identifier, token string) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: identifier, ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 5, 4, 35}, Value: token}, {Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: enrolledUDID},
	}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

// send sends a request of the one kind or the other about a device.
func (l *tokenLab) send(t *testing.T, identifier, member string, object map[string]any) (status int, text string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"timestamp": time.Now().Format(time.RFC3339Nano), "attestationData": map[string]any{"permanentIdentifier": identifier}, member: object,
	})
	if err != nil {
		t.Fatal(err)
	}
	status, text, err = program.NewStepCA(t, l.pki, l.daemon.Address, nil).As(t, program.HookID(1), l.secret).Send(t, body)
	if err != nil {
		t.Fatal(err)
	}
	l.written.WriteString(text)
	return status, text
}

func (l *tokenLab) enriching(t *testing.T, key crypto.Signer, identifier, token string) string {
	t.Helper()
	_, text := l.send(t, identifier, "x509CertificateRequest", map[string]any{"raw": orderWith(t, key, identifier, token)})
	return text
}

func (l *tokenLab) authorizing(t *testing.T, key crypto.Signer, subject map[string]any) string {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	_, text := l.send(t, enrolled, "x509Certificate", map[string]any{"subject": subject, "publicKey": public})
	return text
}

func wantAnswer(t *testing.T, what, text, begin string) {
	t.Helper()
	if !strings.HasPrefix(text, begin) {
		t.Errorf("%s: got %s, want %s…", what, text, begin)
	}
}

// A token is redeemed once, by one key, also across a kill and a restart; and it is written nowhere.
func TestTokens(t *testing.T) {
	t.Parallel()
	l := newTokenLab(t)
	l.start(t)
	key, other := program.NewECKey(t), program.NewECKey(t)
	subject := map[string]any{"commonName": enrolled}
	const allowed = `{"allow":true,"data":{"n":1}}`
	invalid, inCertificate := program.Refused("tokenInvalid"), program.Refused("tokenInCertificate")

	token := l.issue(t, `{"policy":"enrolment","identifier":"`+enrolled+`","udid":"`+strings.ToLower(enrolledUDID)+`","lifetime":"5m"}`)
	wantAnswer(t, "AUTHORIZING alone", l.authorizing(t, key, subject), invalid)
	wantAnswer(t, "another device", l.enriching(t, key, "DMPVLX9QHG5D", token.Token), invalid)
	wantAnswer(t, "first", l.enriching(t, key, enrolled, token.Token), allowed)
	l.kill(t)

	l.start(t)
	wantAnswer(t, "the same key after a kill", l.enriching(t, key, enrolled, token.Token), allowed)
	wantAnswer(t, "its certificate", l.authorizing(t, key, subject), allowed)
	wantAnswer(t, "another key", l.enriching(t, other, enrolled, token.Token), invalid)
	wantAnswer(t, "its certificate", l.authorizing(t, other, subject), invalid)
	wantAnswer(t, "the attribute in the certificate", l.authorizing(t, key, map[string]any{"commonName": enrolled, "extraNames": []any{map[string]any{"type": "2.5.4.35", "value": token.Token}}}), inCertificate)
	wantAnswer(t, "the token in the certificate", l.authorizing(t, key, map[string]any{"commonName": enrolled, "organizationalUnit": []any{"x" + token.Token}}), inCertificate)
	l.daemon.WantLog(t, "add the ENRICHING webhook", "toJson .Type", token.ID)

	second := program.Run(t, l.env.With("PORT", "1", "HEALTH_ADDRESS", "off", "AUDIT_LOG_PATH", ""), "", "serve")
	if second.Code != 1 || !strings.Contains(second.Stderr, "another daemon uses it") {
		t.Errorf("a second daemon: exit %d, want 1: %s", second.Code, second.Stderr)
	}
	retired := l.issue(t, `{"policy":"enrolment","identifier":"DMPVLX9QHG5D"}`)
	for range 2 {
		wantAnswer(t, "a device that a rule refuses", l.enriching(t, other, "DMPVLX9QHG5D", retired.Token), program.Refused("deviceRetired"))
	}
	byCommand := program.Run(t, l.env, "", "token", "issue", "--policy", "enrolment", "--identifier", enrolled)
	var issued issuedToken
	if err := json.Unmarshal([]byte(byCommand.Stdout), &issued); err != nil || byCommand.Code != 0 || len(issued.Token) != 43 {
		t.Fatalf("token issue: exit %d, %s%s", byCommand.Code, byCommand.Stdout, byCommand.Stderr)
	}
	l.issued = append(l.issued, issued.Token)
	l.written.WriteString(byCommand.Stderr)
	wantAnswer(t, "issued by the command", l.enriching(t, other, enrolled, issued.Token), allowed)

	status, list := l.call(t, http.MethodGet, "/v1/tokens?identifier="+enrolled, "")
	if status != http.StatusOK || strings.Count(list, `"state":"used"`) != 2 || !strings.Contains(list, token.ID) || !strings.Contains(list, issued.ID) {
		t.Errorf("got %d %s, want both tokens, used", status, list)
	}
	l.written.WriteString(list)
	if status, text := l.call(t, http.MethodDelete, "/v1/tokens/"+token.ID, ""); status != http.StatusNoContent || text != "" {
		t.Errorf("got %d %s, want 204", status, text)
	}
	wantAnswer(t, "revoked, same key", l.enriching(t, key, enrolled, token.Token), invalid)
	wantAnswer(t, "revoked, certificate", l.authorizing(t, key, subject), invalid)
	wantAnswer(t, "the other one", l.authorizing(t, other, subject), allowed)

	l.written.WriteString(second.Stderr + second.Stdout)
	l.kill(t)
	l.wantNoToken(t)
}

// wantNoToken: no token that was issued is in the log, an answer, the metrics, the audit log or the database.
func (l *tokenLab) wantNoToken(t *testing.T) {
	t.Helper()
	places := map[string][]byte{"the log, metrics or an answer": []byte(l.written.String())}
	entries, err := os.ReadDir(l.Folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if places[entry.Name()], err = os.ReadFile(filepath.Join(l.Folder, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"state.db", "audit.log"} {
		if len(places[name]) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	for where, contents := range places {
		for _, token := range l.issued {
			if bytes.Contains(contents, []byte(token)) {
				t.Errorf("%s has a token:\n%.3000s", where, contents)
			}
		}
	}
}

// A policy that requires a token needs a state database, in a folder that can be written to.
func TestTokensNeedState(t *testing.T) {
	t.Parallel()
	l := newTokenLab(t)
	for name, test := range map[string]struct{ url, want string }{
		"missing":   {"", "STATE_URL: not set, but the policy file uses enrolment tokens"},
		"no URL":    {"state.db", "STATE_URL: "},
		"no folder": {"sqlite:" + filepath.Join(l.Folder, "none", "state.db"), "its folder does not exist"},
		"a folder":  {"sqlite:" + l.Folder, "it is a folder, want a file"},
	} {
		env := l.env.With("STATE_URL", test.url)
		if test.url == "" {
			delete(env, "STATE_URL")
		}
		for _, command := range []string{"check", "serve"} {
			if r := program.Run(t, env, "", command); r.Code != 1 || !strings.Contains(r.Stderr, test.want) {
				t.Errorf("%s, %s: exit %d, want 1 and %q: %s", name, command, r.Code, test.want, r.Stderr)
			}
		}
	}
}

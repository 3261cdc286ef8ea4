package console_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
	"step-posture-connector/internal/test/testca"

	"step-posture-connector/internal/test/browser"
)

// The devices that most tests are about.
const (
	goodMac  = "C02GOODMAC01" // is allowed
	plainMac = "C02PLAINMAC1" // has no encrypted disk
	oldMac   = "C02OLDMAC001" // is allowed, and a rule that only reports would refuse it
	noMac    = "C02NOBODY001" // is in no inventory
	phone    = "DMPPHONE0001" // is known to the simulated Jamf Pro server
)

// adviceOfRule is what the policy file tells the person at plainMac.
const adviceOfRule = "Turn on FileVault in System Settings, and try again."

// policies is the policy file of the lab. %s is the section of the simulated Jamf Pro server.
const policies = `inventories:
  owned: {provider: file, path: devices.json, type: json}
  mdm: %s
policies:
  laptops:
    inventories: [owned]
    mode: computer
    rules:
      - {name: encrypted, require: device.encrypted, code: diskNotEncrypted, message: "` + adviceOfRule + `"}
      - {name: os_current, require: 'device.os_version.atLeast("15.4")', enforce: false, message: Install the latest macOS.}
      - {name: staff_only, require: '"Staff" in device.groups', enforce: 2099-01-15, message: Ask for an account of the staff.}
  phones:
    inventories: [mdm]
    mode: mobiledevice
  wifi:
    inventories: [owned]
webhooks:
  - {name: laptops, id: 3f0c6c1e-1f6e-4a52-9d33-000000000001, secret: {file: laptops.secret}, policy: laptops}
  - {name: phones, id: 3f0c6c1e-1f6e-4a52-9d33-000000000002, secret: {file: phones.secret}, policy: phones}
doors:
  issuers: issuers.pem
  provisioners: any
  crl: devices.crl
  radius:
    - {callers: ["cn:radius"], policy: wifi, vlan: "'20'"}
`

// lab is a connector with a console, and those who ask it about devices.
type lab struct {
	*program.Daemon

	base    string // the URL of the console, without a slash at the end
	users   string // the path of CONSOLE_USERS_FILE
	trail   string // the path of the audit log
	pki     *program.PKI
	files   *program.Policies
	env     program.Environment
	jamf    *jamftest.Server
	devices *testca.CA // has issued the certificates of devices

	laptops, phones *program.StepCA
	radius          *http.Client
	asked           int // how many decisions were made
	hashes          map[string][]byte
}

// device is one of the inventory owned.
type device struct {
	serial string
	facts  map[string]any
}

func mac(serial, version string, encrypted bool, groups ...string) device {
	return device{serial, map[string]any{
		"name": "mac " + serial, "os": "macOS", "os_version": version, "encrypted": encrypted, "groups": append([]string{"All Macs"}, groups...),
	}}
}

// prepare makes all files of a connector whose console has no users, and starts nothing.
func prepare(t *testing.T, devices ...device) *lab {
	t.Helper()
	l := &lab{pki: program.NewPKI(t), devices: testca.New(t, "Devices"), hashes: map[string][]byte{}}
	jamf, jamfEnv := program.StartJamf(t, l.pki, jamftest.Device{Serial: phone, Name: "phone of Grace", Managed: new(true), Supervised: true})
	l.jamf = jamf
	l.files = program.NewPolicies(t, fmt.Sprintf(policies,
		fmt.Sprintf("{provider: jamf, base_url: %q, client_id: %s, client_secret: {env: MDM_SECRET}}", jamf.BaseURL(), jamf.Client().ID)))
	l.stock(t, append([]device{mac(goodMac, "15.6", true, "Staff"), mac(plainMac, "15.6", false, "Staff"), mac(oldMac, "14.7", true)}, devices...)...)
	callers := testca.New(t, "Callers")
	l.files.WriteFile(t, "issuers.pem", string(l.devices.PEM()))
	l.files.WriteFile(t, "devices.crl", string(testca.ListPEM(l.devices.List(t, 1, nil))))
	l.radius = client(l.pki, callers)(t, "radius")
	address := program.FreeAddress(t)
	l.users, l.trail, l.base = filepath.Join(l.files.Folder, "users"), filepath.Join(l.files.Folder, "audit.jsonl"), "http://"+address
	l.env = l.files.Alone(t, l.pki).With("JOURNAL", "1", "CONSOLE_ADDRESS", address, "STATE_URL", "sqlite:"+filepath.Join(t.TempDir(), "state.db"),
		"AUDIT_LOG_PATH", l.trail, "MDM_SECRET", jamf.Client().Secret, "SSL_CERT_FILE", jamfEnv["SSL_CERT_FILE"],
		"DOOR_ADDRESS", program.FreeDoors, "DOOR_CLIENT_CA_PATH", l.files.WriteFile(t, "callers.pem", string(callers.PEM())))
	return l
}

// client makes HTTPS clients with certificates of a CA.
func client(pki *program.PKI, by *testca.CA) func(t *testing.T, name string) *http.Client {
	return func(t *testing.T, name string) *http.Client {
		t.Helper()
		certificate, key := by.Issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		transport := &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: pki.Roots, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}},
		}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport, Timeout: program.Patience}
	}
}

// stock writes the inventory owned.
func (l *lab) stock(t *testing.T, devices ...device) {
	t.Helper()
	var all []map[string]any
	for _, d := range devices {
		all = append(all, map[string]any{"identifier": d.serial, "facts": map[string]any{"device": d.facts}})
	}
	text, err := json.Marshal(map[string]any{"devices": all})
	if err != nil {
		t.Fatal(err)
	}
	l.files.WriteFile(t, "devices.json", string(text))
}

// withUsers makes the console one for people who log in.
func (l *lab) withUsers(t *testing.T, names ...string) *lab {
	t.Helper()
	l.writeUsers(t, names...)
	l.env = l.env.With("CONSOLE_USERS_FILE", l.users)
	l.base = strings.Replace(l.base, "http:", "https:", 1)
	return l
}

// passwordOf is the password of a person of the lab.
func passwordOf(name string) string { return "the password of " + name }

func (l *lab) writeUsers(t *testing.T, names ...string) {
	t.Helper()
	var text strings.Builder
	for _, name := range names {
		if l.hashes[name] == nil { // another hash of the same password would end the sessions
			hash, err := bcrypt.GenerateFromPassword([]byte(passwordOf(name)), bcrypt.MinCost)
			if err != nil {
				t.Fatal(err)
			}
			l.hashes[name] = hash
		}
		fmt.Fprintf(&text, "%s:%s\n", name, l.hashes[name])
	}
	program.ReplaceFile(t, l.users, text.String())
}

// start starts the connector.
func (l *lab) start(t *testing.T) *lab {
	t.Helper()
	secrets := map[string]string{"laptops": program.NewSecret(), "phones": program.NewSecret()}
	for name, secret := range secrets {
		l.files.WriteFile(t, name+".secret", secret)
	}
	l.Daemon = program.StartDaemon(t, l.env)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of the connector:\n%s", l.Output())
		}
	})
	ca := program.NewStepCA(t, l.pki, l.Address, nil)
	l.laptops, l.phones = ca.As(t, program.HookID(1), secrets["laptops"]), ca.As(t, program.HookID(2), secrets["phones"])
	return l
}

// browser starts a browser that trusts the console.
func (l *lab) browser(t *testing.T, others ...*x509.Certificate) *browser.Browser {
	t.Helper()
	return browser.Start(t, append(others, l.pki.CA)...)
}

// ask asks about a device as step-ca does, and returns the reference that the device would show; empty where it is allowed.
func (l *lab) ask(t *testing.T, hook *program.StepCA, serial string) string {
	t.Helper()
	return l.send(t, hook, program.WebhookBody(serial))
}

func (l *lab) send(t *testing.T, hook *program.StepCA, body []byte) string {
	t.Helper()
	status, text, err := hook.Send(t, body)
	if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
		t.Fatalf("a webhook got %d %s (%v)\n%s", status, text, err, l.Output())
	}
	l.asked++
	if found := regexp.MustCompile(`\(ref ([0-9A-Z]{8})\)`).FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// login asks about a device at the door of RADIUS, with these attributes besides: pairs of names and values.
func (l *lab) login(t *testing.T, serial string, pairs ...string) (status int) {
	t.Helper()
	login := l.devices.NewLogin(t, l.devices.Device(t, testca.Good(serial)))
	for pair := range slices.Chunk(pairs, 2) {
		login.Set(pair[0], pair[1])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+l.Doors+"/door/radius", bytes.NewReader(login.JSON(t)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := l.radius.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	l.asked++
	return response.StatusCode
}

// settle waits until the journal has all decisions.
func (l *lab) settle(t *testing.T) {
	t.Helper()
	l.Eventually(t, "the journal has all decisions", func() bool {
		return l.Metric(t, `step_posture_journal_lines_total{result="written"}`) == strconv.Itoa(l.asked)
	})
}

// open opens a page of the console in a new window of somebody who has not logged in.
func (l *lab) open(t *testing.T, b *browser.Browser, path string) *browser.Page {
	t.Helper()
	p := b.NewPage(t)
	p.Open(t, l.base+path)
	return p
}

// as opens a page of the console in a new window, and logs in.
func (l *lab) as(t *testing.T, b *browser.Browser, name, path string) *browser.Page {
	t.Helper()
	p := l.open(t, b, path)
	fillLogIn(t, p, name, passwordOf(name))
	if status := p.Follow(t, "button", "Log in"); status != http.StatusOK || strings.Contains(p.URL(t), "/login") {
		t.Fatalf("the log-in of %s leads to %s with status %d: %s", name, p.URL(t), status, p.Text(t))
	}
	return p
}

func fillLogIn(t *testing.T, p *browser.Page, name, password string) {
	t.Helper()
	p.Type(t, "Name", name)
	p.Type(t, "Password", password)
}

// notices are the events of the audit log about what people do, with person and result.
func (l *lab) notices(t *testing.T, event string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(l.trail)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var n struct{ Event, User, Identifier, Result string }
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if n.Event == event {
			found = append(found, strings.Join([]string{n.User, n.Result, n.Identifier}, " "))
		}
	}
	return found
}

// wantText wants each of these texts on the page.
func wantText(t *testing.T, p *browser.Page, texts ...string) {
	t.Helper()
	shown := p.Text(t)
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			t.Errorf("%s does not show %q:\n%.3000s", p.URL(t), text, shown)
		}
	}
}

// wantPath wants the page to be at an address of the console that begins like this.
func (l *lab) wantPath(t *testing.T, p *browser.Page, begin string) {
	t.Helper()
	if at, ok := strings.CutPrefix(p.URL(t), l.base); !ok || !strings.HasPrefix(at, begin) {
		t.Errorf("the page is %s, want %s…", p.URL(t), l.base+begin)
	}
}

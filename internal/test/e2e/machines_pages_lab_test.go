package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/process"
)

// register is a service with records about machines, which the connector asks in place of a page's files: unlike a file, it can fail.
type register struct {
	server *httptest.Server

	mu      sync.Mutex
	down    bool
	records map[string]registered
}

type registered struct {
	ID   string `json:"id"`
	Host string `json:"host"`
	Role string `json:"role"`
}

func startRegister(t *testing.T, records ...registered) *register {
	t.Helper()
	r := &register{records: map[string]registered{}}
	for _, record := range records {
		r.records[record.ID] = record
	}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *register) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, ok := r.records[request.URL.Query().Get("id")]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"unknown"}`)
	default:
		_ = json.NewEncoder(w).Encode(record)
	}
}

// during does something while the register does not answer.
func (r *register) during(outage func()) {
	set := func(down bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.down = down
	}
	set(true)
	outage()
	set(false)
}

func (r *register) add(record registered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records[record.ID] = record
}

// inventory is the section of a policy file with the register.
func (r *register) inventory(name string) string {
	return fmt.Sprintf(`  %s:
    provider: http
    base_url: %s
    insecure_http: true
    identifiers: ^.+$
    allow_unmanaged: true
    search: exact
    request: {path: /records, query: {id: "{{identifier}}"}}
    outcome: {not_found: status == 404 && body.error == "unknown"}
    select: {items: "[body]", more: "false"}
    map: {device.identifier: item.id, attributes.host: item.host, attributes.role: item.role}
`, name, r.server.URL)
}

// pageGuard is a CA that was set up as a page of docs/provisioners says, and the connector with the page's policy file.
type pageGuard struct {
	*machines
	*people.Guard
	page     guide
	register *register
	policies string // those of the page, with the register as their inventories
	dir      string
}

// follow sets up the CA and a connector with the commands, the templates and the policy file of a page. Files are what
// the page says that the operator has.
func (m *machines) follow(t *testing.T, name string, files map[string]string, records ...registered) *pageGuard {
	t.Helper()
	p := &pageGuard{machines: m, page: readGuide(t, m.lab, "../provisioners/"+name), register: startRegister(t, records...), dir: t.TempDir()}
	for _, template := range regexp.MustCompile("`([a-z_]+\\.tpl)`").FindAllStringSubmatch(p.page.text, -1) {
		files[template[1]] = p.page.block(t, "`"+template[1]+"`", "gotemplate")
	}
	p.policies = regexp.MustCompile(`(?m)^  (\w+): \{provider: file, .*\n`).ReplaceAllStringFunc(p.page.block(t, "", "yaml"), func(line string) string {
		inventory, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		return p.register.inventory(inventory)
	})
	var err error
	p.Guard, err = people.Open(t.Context(), m.ca, people.Config{
		Binary: m.programs.Connector(), Dir: p.dir, Files: files, Policies: p.policies, LoggingLevel: 1,
		Commands: func(address string) string {
			commands := p.page.block(t, "prints an ID and a secret, once", "sh")
			return strings.ReplaceAll(commands, "https://posture.example.com:9443", address)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("stop connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", p.Log())
		}
	})
	return p
}

// commands are those of the page behind a text, each with --force.
func (p *pageGuard) commands(t *testing.T, after string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.page.block(t, after, "sh")), "\n")
	for i := range lines {
		lines[i] += " --force"
	}
	return lines
}

// expectForbidden runs a client's command, which must fail with the text.
func (p *pageGuard) expectForbidden(t *testing.T, command, text string, env ...string) {
	t.Helper()
	if result := p.sh(t, p.dir, command, env...); result.Status != 1 || !strings.Contains(result.Stderr, forbidden) || !strings.Contains(result.Stderr, text) {
		t.Errorf("%s: %s; want exit status 1 and %q", command, shown(result), forbidden+text)
	}
}

func shown(r process.Result) string {
	return fmt.Sprintf("exit status %d and %s%s", r.Status, r.Stdout, r.Stderr)
}

// hostCertificate reads the SSH certificate that the client has got.
func (p *pageGuard) hostCertificate(t *testing.T) *ssh.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "host_key-cert.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	certificate, ok := key.(*ssh.Certificate)
	if !ok || certificate.CertType != ssh.HostCert {
		t.Fatalf("the client has got %s, want a host certificate", text)
	}
	return certificate
}

// change replaces a text in the policy file, and waits until the file is in effect. Without its tests: they would refuse the file.
func (p *pageGuard) change(t *testing.T, from, to string) {
	t.Helper()
	untested := regexp.MustCompile(`(?ms)^    tests:\n.*?^(\w)`).ReplaceAllString(p.policies, "$1")
	if err := p.SetPolicies(replaceOnce(t, untested, map[string]string{from: to})); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	if _, err := p.AwaitLog(ctx, "reloaded: policies"); err != nil {
		t.Fatal(err)
	}
}

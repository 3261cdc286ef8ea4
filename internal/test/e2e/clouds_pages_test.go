package e2e_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/cloud"
	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/process"
)

// The sentences that the step client prints of an answer of the connector.
const (
	notInventory    = "(deviceNotFound)."
	finalX509Denied = forbidden + "error creating certificate."
	finalSSHDenied  = forbidden + "authority.SignSSH: error signing certificate."
	reloaded        = "reloaded: policies"
	exampleAddress  = "https://connector.example.com:9443"
)

// provisionerPage is a page of docs/provisioners: what its commands and its policy file are.
type provisionerPage struct{ commands, policies string }

func (l *lab) readPage(t *testing.T, name string) provisionerPage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.programs.Repository(), "docs", "provisioners", name))
	if err != nil {
		t.Fatal(err)
	}
	var page provisionerPage
	for _, block := range regexp.MustCompile("(?ms)^```(sh|yaml)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		switch client := regexp.MustCompile(`^step (ca|ssh) certificate `).MatchString(block[2]); {
		case block[1] == "yaml":
			page.policies += block[2]
		case !client:
			page.commands += block[2]
		}
	}
	if page.commands == "" || page.policies == "" {
		t.Fatalf("docs/provisioners/%s has no commands or no policy", name)
	}
	return page
}

// guardPage runs the commands of a page, and starts a connector with its policy file and these files beside it.
func (l *lab) guardPage(t *testing.T, page provisionerPage, dir string, files map[string]string) *people.Guard {
	t.Helper()
	// The cleanup of a test comes after the end of its context.
	guard, err := people.Open(context.WithoutCancel(t.Context()), l.ca, people.Config{
		Binary: l.programs.Connector(), Dir: dir, Files: files, Policies: page.policies, LoggingLevel: 2,
		Commands: func(address string) string { return strings.ReplaceAll(page.commands, exampleAddress, address) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Close(); err != nil {
			t.Errorf("stop the connector: %v", err)
		}
		if t.Failed() {
			t.Logf("the connector printed:\n%s", guard.Log())
		}
	})
	return guard
}

// setPolicies replaces the policy file, and waits until it counts.
func setPolicies(t *testing.T, guard *people.Guard, content string) {
	t.Helper()
	before := strings.Count(guard.Log(), reloaded)
	if err := guard.SetPolicies(content); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	for strings.Count(guard.Log(), reloaded) == before {
		select {
		case <-ctx.Done():
			t.Fatal("the connector has not taken over the policy file")
		case <-time.After(pollInterval):
		}
	}
}

// outage puts a service that does not answer in the place of the inventory of a policy file.
func outage(t *testing.T, policies string) string {
	t.Helper()
	port, err := process.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	inventory := `{provider: http, base_url: "https://` + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + `", search: exact, allow_unmanaged: true, identifiers: '^.+$',
    request: {path: "/{{identifier}}"}, outcome: {found: [200], not_found: status == 404}, select: {items: "[body]", more: "false"},
    map: {device.serial_number: item.sn, attributes.host: item.host, attributes.role: item.role}}`
	form := regexp.MustCompile(`\{provider: file,[^}]*\}`)
	if len(form.FindAllString(policies, -1)) != 1 {
		t.Fatalf("the policy file has not exactly one inventory:\n%s", policies)
	}
	return form.ReplaceAllLiteralString(policies, inventory)
}

// cloudCase is a kind of certificate by a page's provisioner.
type cloudCase struct {
	name, page, provisioner string
	instance, stranger      cloud.Instance
	id                      string // of the instance in the inventory
	ssh                     bool
}

func cloudCases() []cloudCase {
	stranger := google()
	stranger.ID = "1" // its name is that of an instance in the inventory
	other := azure(azureTenant)
	other.Name = "db-2"
	return []cloudCase{
		{"gcp", "gcp.md", "gcp", google(), stranger, google().ID, false},
		{"gcp ssh", "gcp.md", "gcp", google(), stranger, google().ID, true},
		{"azure", "azure.md", "azure", azure(azureTenant), other, azure("").Name, false},
	}
}

// TestCloudPages follows the pages of Google Cloud and Azure with a real connector: the certificate has what the inventory
// says, strangers and names that an instance chose are refused, and after an outage the instance gets its certificate.
func TestCloudPages(t *testing.T) {
	programs := buildPrograms(t)
	for _, test := range cloudCases() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newCloudsLab(t, programs)
			page := l.readPage(t, test.page)
			dir := t.TempDir()
			guard := l.guardPage(t, page, dir, map[string]string{
				"instances.csv": "Identifier,host,role\n" + test.id + "," + inventoryHost + "," + inventoryRole + "\n",
			})
			vm := l.boot(t, test.instance)
			test.expectIssued(t, vm)
			expectLog(t, guard.Connector, "[ALLOW]", test.id)

			stranger := l.boot(t, test.stranger)
			test.expectRefused(t, stranger, notInventory)
			expectLog(t, guard.Connector, "[DENY]", "deviceNotFound")

			setPolicies(t, guard, outage(t, page.policies))
			test.expectRefused(t, vm, noAnswer)
			setPolicies(t, guard, page.policies)
			test.expectIssued(t, vm)
			test.expectFinalNames(t, l, vm, guard, page.policies)
		})
	}
}

// expectIssued wants a certificate with the names of the inventory, whatever the instance asks for.
func (c cloudCase) expectIssued(t *testing.T, vm host) {
	t.Helper()
	if !c.ssh {
		result, certificate := vm.ask(t, c.provisioner, freeName)
		expectHost(t, result, certificate)
		return
	}
	result, certificate := vm.askSSH(t, c.provisioner, freeName)
	if certificate == nil {
		t.Fatalf("step printed %q, want a certificate", result.Stderr)
	}
	if certificate.KeyId != inventoryHost || !slices.Equal(certificate.ValidPrincipals, []string{inventoryHost}) {
		t.Errorf("the certificate has the key ID %q and principals %q, want those of the inventory", certificate.KeyId, certificate.ValidPrincipals)
	}
}

// expectRefused wants no certificate, and what the client prints then.
func (c cloudCase) expectRefused(t *testing.T, vm host, sentence string) {
	t.Helper()
	var result process.Result
	issued := false
	if c.ssh {
		r, certificate := vm.askSSH(t, c.provisioner, "db-1")
		result, issued = r, certificate != nil
	} else {
		r, certificate := vm.ask(t, c.provisioner, "db-1")
		result, issued = r, certificate != nil
	}
	if issued || result.Status != 1 || !strings.Contains(result.Stderr, forbidden) || !strings.Contains(result.Stderr, sentence) {
		t.Errorf("step printed %q with the status %d (certificate: %t), want %q", result.Stderr, result.Status, issued, sentence)
	}
}

// expectFinalNames takes the page's template away: step-ca then signs the names that the instance chose. Where the policy
// forgets the rule over the final names, the attack works; with the rule the certificate is kept back.
func (c cloudCase) expectFinalNames(t *testing.T, l *cloudsLab, vm host, guard *people.Guard, policies string) {
	t.Helper()
	flag, sentence, rule := "--x509-template", finalX509Denied, "final_names"
	if c.ssh {
		flag, sentence, rule = "--ssh-template", finalSSHDenied, "final_principals"
	}
	l.withoutTemplate(t, c.provisioner, flag)
	setPolicies(t, guard, forgetful(t, policies))
	if names := c.namesOf(t, vm, freeName); !slices.Contains(names, freeName) {
		t.Errorf("without the rule the certificate has the names %q, want %s among them: the attack does not work", names, freeName)
	}
	setPolicies(t, guard, policies)
	c.expectRefused(t, vm, sentence)
	expectLog(t, guard.Connector, "[DENY]", "rule "+rule+" is unmet")
}

// freeName is a name that nobody in the inventory has.
const freeName = "ceo.example.com"

// namesOf asks for a certificate and returns the names in it; nil without one.
func (c cloudCase) namesOf(t *testing.T, vm host, asked string) []string {
	t.Helper()
	if c.ssh {
		if _, certificate := vm.askSSH(t, c.provisioner, asked); certificate != nil {
			return certificate.ValidPrincipals
		}
		return nil
	}
	if _, certificate := vm.ask(t, c.provisioner, asked); certificate != nil {
		return certificate.DNSNames
	}
	return nil
}

// withoutTemplate makes a provisioner use step-ca's own template.
func (l *lab) withoutTemplate(t *testing.T, provisioner, flag string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	if _, err := people.SetUp(ctx, l.ca, t.TempDir(), "step ca provisioner update "+provisioner+" "+flag+" ''\n"); err != nil {
		t.Fatal(err)
	}
}

// forgetful is a policy file whose rules over the final names compare nothing, without its tests.
func forgetful(t *testing.T, policies string) string {
	t.Helper()
	form := regexp.MustCompile(`require: request\.(certificate|ssh)\..*`)
	if !form.MatchString(policies) {
		t.Fatalf("the policy file has no rule over the final names:\n%s", policies)
	}
	tests := regexp.MustCompile(`(?m)^ {4}tests:\n(?: {6}.*\n)+`) // a file whose tests fail does not count
	return tests.ReplaceAllLiteralString(form.ReplaceAllLiteralString(policies, `require: request.kind == "authorizing"`), "")
}

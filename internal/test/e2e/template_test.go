package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.step.sm/crypto/x509util"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// notAsked is what every shipped template writes to step-ca's log when the webhook is missing.
const notAsked = "the connector was not asked"

// shippedTemplates returns every certificate template of the repository, by its place: the files that end in
// .tpl, and the blocks of the documents that contain the subject of a certificate. Those of Helm are none, and the one of the
// connector's own certificate (TestRenewerProvisioner) is for a provisioner that issues to no device.
func shippedTemplates(t *testing.T) map[string]string {
	t.Helper()
	repository := os.DirFS(filepath.Join("..", "..", ".."))
	templates := map[string]string{}
	block := regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```$")
	heredoc := regexp.MustCompile(`(?ms)<<'EOF'\n(.*?)^EOF$`)
	err := fs.WalkDir(repository, ".", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(name, ".") || name == "build" || name == "vendor"):
			return fs.SkipDir
		case path == "docs/kubernetes/chart/templates":
			return fs.SkipDir
		case path == "docs/kubernetes/components/step-renewer/connector.tpl":
			return nil
		case entry.IsDir() || !slices.Contains([]string{".tpl", ".md"}, filepath.Ext(name)):
			return nil
		}
		data, err := fs.ReadFile(repository, path)
		if err != nil {
			return err
		}
		found := []string{string(data)}
		if filepath.Ext(path) == ".md" {
			found = nil
			for _, match := range block.FindAllStringSubmatch(string(data), -1) {
				text := match[1]
				if here := heredoc.FindStringSubmatch(text); here != nil {
					text = here[1]
				}
				if strings.Contains(text, `"subject"`) && strings.Contains(text, "{{") {
					found = append(found, text)
				}
			}
		}
		for i, text := range found {
			templates[path+strings.Repeat("'", i)] = text
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docker/setup/device.tpl", "docs/setup.md", "docs/providers/jamf.md"} {
		if templates[name] == "" {
			t.Errorf("no template was found in %s", name)
		}
	}
	templates["the tests' and the demo's"] = gate.Template
	templates["the tests' and the demo's for Jamf"] = gate.JamfTemplate
	return templates
}

// render makes a certificate from a template as step-ca does, with the webhooks' answers by webhook name.
func render(t *testing.T, template string, webhooks map[string]any) (*x509.Certificate, error) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: knownSerial}}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	data := x509util.NewTemplateData()
	data.SetCommonName(knownSerial)
	data.SetSubjectAlternativeNames(x509util.SubjectAlternativeName{Type: x509util.PermanentIdentifierType, Value: knownSerial})
	for name, answer := range webhooks {
		data.SetWebhook(name, answer)
	}
	certificate, err := x509util.NewCertificate(csr, x509util.WithTemplate(template, data))
	if err != nil {
		return nil, err
	}
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}
	issued, err := x509util.CreateCertificate(certificate.GetCertificate(), parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return issued, nil
}

// answer is the data of an allow, as step-ca passes it to a template.
func answer(t *testing.T, text string) any {
	t.Helper()
	var data any
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// A provisioner has no gate until its webhook is added, and after its webhook is removed. Its template refuses
// then.
func TestTemplatesRefuseWithoutWebhook(t *testing.T) {
	t.Parallel()
	for name, template := range shippedTemplates(t) {
		for what, webhooks := range map[string]map[string]any{
			"no webhook": nil, "another webhook": {"inventory": answer(t, `{"department":"Design","email":"ada@example.com"}`)},
		} {
			certificate, err := render(t, template, webhooks)
			failure := (*x509util.TemplateError)(nil)
			if certificate != nil || !errors.As(err, &failure) || !strings.Contains(failure.Message, notAsked) {
				t.Errorf("%s, %s: got %v, want a refusal with %q", name, what, err, notAsked)
			}
		}
	}
}

// The data that each provider returns about a device, and the resulting certificate.
func TestTemplates(t *testing.T) {
	t.Parallel()
	const (
		csv    = `{"department":"R & \"D\"","email":"ada@example.com"}`
		jamf   = `{"device":{"udid":"","serial_number":"C02E2EKNOWN1","name":"ada's \"Mac\""},"user":{"username":"ada","realname":"","email_address":"ada@example.com","position":"","department":"R & \"D\""},"groups":["All","Disk encrypted"]}`
		noUser = `{"device":{"udid":"","serial_number":"C02E2EKNOWN1","name":""},"user":{"username":"","realname":"","email_address":"","position":"","department":""},"groups":[]}`
		noData = `{}`
	)
	templates := shippedTemplates(t)
	for _, test := range []struct {
		template, data string
		subject        string // of the certificate; empty: refused
		email          string
		fault          string // the refusal names it
	}{
		{"docs/setup.md", csv, `OU=R & \"D\"`, "ada@example.com", ""},
		{"docs/setup.md", jamf, `OU=R & \"D\"`, "ada@example.com", ""},
		{"docs/setup.md", noUser, "", "-", ""},
		{"docs/setup.md", `{"department":"","email":""}`, "", "-", ""},
		{"docs/setup.md", `{"user":{"department":"Design","email":"ada@example.com"}}`, "OU=Design", "ada@example.com", ""},
		{"docs/setup.md", `{"user":"ada","department":"Design","email":"ada@example.com"}`, "OU=Design", "ada@example.com", ""},
		{"docs/setup.md", noData, "", "", "no department"},
		{"docs/setup.md", `{"Department":"Design","email":"ada@example.com"}`, "", "", "no department"},
		{"docs/setup.md", `{" department":"Design","email":"ada@example.com"}`, "", "", "no department"},
		{"docs/setup.md", `{"department":"Design","mail":"ada@example.com"}`, "", "", "no email"},
		{"docs/providers/jamf.md", jamf, `O=R & \"D\",OU=All+OU=Disk encrypted`, "ada@example.com", ""},
		{"docs/providers/jamf.md", noUser, "", "-", ""},
		{"docs/providers/jamf.md", noData, "", "", "JAMF_COMPUTER_ENRICH=1"},
		{"docker/setup/device.tpl", csv, `OU=R & \"D\"`, "ada@example.com", ""},
		{"docker/setup/device.tpl", jamf, `OU=R & \"D\"`, "ada@example.com", ""},
		{"docker/setup/device.tpl", noUser, "", "-", ""},
		// There the operator chooses the data: docker/.env and docker/devices.csv.
		{"docker/setup/device.tpl", noData, "", "-", ""},
	} {
		certificate, err := render(t, templates[test.template], map[string]any{gate.WebhookName: answer(t, test.data)})
		if test.email == "" {
			if err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%s with %s: got %v, want a refusal that says %q", test.template, test.data, err, test.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s with %s: %v", test.template, test.data, err)
			continue
		}
		subject := certificate.Subject
		subject.Names = nil // else String shows the description too
		if got, want := subject.String(), strings.TrimSuffix("CN="+knownSerial+","+test.subject, ","); got != want && !sameParts(got, want) {
			t.Errorf("%s with %s: got the subject %s, want %s", test.template, test.data, got, want)
		}
		if got := strings.Join(certificate.EmailAddresses, ","); got != strings.Trim(test.email, "-") {
			t.Errorf("%s with %s: got the e-mail addresses %q, want %q", test.template, test.data, got, test.email)
		}
	}
}

// sameParts reports whether two subjects have the same parts, in any order.
func sameParts(one, other string) bool {
	parts := func(text string) []string {
		return slices.Sorted(slices.Values(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '+' })))
	}
	return slices.Equal(parts(one), parts(other))
}

// TestGuideTemplates: the documents have the templates of the tests and of the demo.
func TestGuideTemplates(t *testing.T) {
	t.Parallel()
	templates := shippedTemplates(t)
	for name, want := range map[string]string{"docs/setup.md": gate.Template, "docs/providers/jamf.md": gate.JamfTemplate} {
		if templates[name] != want {
			t.Errorf("%s has the template\n%s\nwant\n%s", name, templates[name], want)
		}
	}
}

// testWithoutWebhook: a genuine device orders from a provisioner that has no webhook, as between two commands
// of the guide. Each shipped template refuses. The removal of the webhook has the same effect.
func testWithoutWebhook(t *testing.T, l *lab) {
	templates := shippedTemplates(t)
	for i, name := range slices.Sorted(maps.Keys(templates)) {
		provisioner := stepca.Provisioner{Name: provisionerName(t) + "-" + string(rune('a'+i)), AttestationRoots: l.maker.RootPEM(), Template: templates[name]}
		if err := l.ca.AddProvisioner(t.Context(), provisioner); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		expectServerError(t, l.order(t, l.ca.DirectoryURL(provisioner.Name), knownSerial))
	}
	if !strings.Contains(l.ca.Log(), notAsked) {
		t.Errorf("step-ca's log does not say %q", notAsked)
	}

	g := l.open(t, gate.Config{})
	order := l.order(t, g.DirectoryURL(), knownSerial)
	if err := g.RemoveWebhook(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectServerError(t, order)
}

// testAuthorizingAlone pins what the guide warns of: an AUTHORIZING webhook returns no data, so no template
// can notice its removal.
func testAuthorizingAlone(t *testing.T, l *lab) {
	g := l.open(t, gate.Config{Kind: stepca.Authorizing})
	order := l.order(t, g.DirectoryURL(), unknownSerial)
	cert, err := finalize(t, order)
	expectNotFound(t, g.Connector(), cert, err)
	if err := g.RemoveWebhook(t.Context()); err != nil {
		t.Fatal(err)
	}
	cert, err = finalize(t, order)
	expectIssuedTo(t, unknownSerial, cert, err)
}

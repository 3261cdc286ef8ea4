package e2e_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/fakesnipeit"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The assets of the simulated Snipe-IT server, and one that it does not have. The user's name would change a certificate
// whose template does not quote it, and is escaped for HTML on the way.
const (
	usedAsset    = "C02XK1ABJHD2" // the one that the page looks up
	spareAsset   = "C02SNIPEIT02"
	foreignAsset = "C02SNIPEIT09"
	assetUser    = `Ada "O'Example" & Co`
)

// snipeITTemplate shows what the policy of docs/providers/http.md gives.
const snipeITTemplate = `{{- if not (hasKey .Webhooks "posture") }}{{ fail "there is no ENRICHING webhook named posture" }}{{ end -}}
{
  "subject": {
    "commonName": {{ toJson (index .SANs 0).Value }},
    "organizationalUnit": {{ toJson .Webhooks.posture.user }}
  },
  "sans": [
    {"type": "email", "value": {{ toJson .Webhooks.posture.email }}},
    {"type": "permanentIdentifier", "value": {{ toJson (index .SANs 0).Value }}}
  ],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"]
}`

// snipeIT is a simulated Snipe-IT server, and the page that says how the connector asks it.
type snipeIT struct {
	*lab
	server *fakesnipeit.Server
	guide  guide
	token  string // the file with the API token
}

// TestSnipeIT follows docs/providers/http.md literally: its policy files, with the address and the token of a simulated
// Snipe-IT server, decide who gets a certificate.
func TestSnipeIT(t *testing.T) {
	if err := fakejamf.Supported(); err != nil {
		t.Skip(err)
	}
	l := newLab(t)
	if err := l.programs.BuildFakeSnipeIT(t.Context()); err != nil {
		t.Fatal(err)
	}
	server, err := fakesnipeit.Start(context.WithoutCancel(t.Context()), l.programs.FakeSnipeIT(), t.TempDir(), assets()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop fakesnipeit: %v", err)
		}
	})
	s := &snipeIT{l, server, readGuide(t, l, "http.md"), filepath.Join(t.TempDir(), "snipeit_token")}
	writeFile(t, s.token, server.Token()+"\n")
	t.Run("shortest section", s.testShortest)
	t.Run("snapshot", s.testSnapshot)
	t.Run("export", s.testExport)

	report, err := server.Report(t.Context())
	if err != nil || len(report.Violations) > 0 || report.Counts["lookup"] < 8 || report.Counts["list"] < 1 {
		t.Errorf("Snipe-IT reports %+v, %v, want lookups, a list and no violation", report, err)
	}
}

// open puts a gate in front of the CA with a policy file of the page: the first one behind a text.
func (s *snipeIT) open(t *testing.T, after string, config gate.Config) *gate.Gate {
	t.Helper()
	config.Policies = replaceOnce(t, s.guide.block(t, after, "yaml"), map[string]string{
		"https://snipeit.example.com": s.server.URL(), "/run/secrets/snipeit_token": s.token,
	})
	config.Modes, config.Trusted, config.LoggingLevel = []string{"default"}, s.server.CA(), 2
	g := s.lab.open(t, config)
	t.Cleanup(func() {
		if log := g.Connector().Log(); strings.Contains(log, s.server.Token()) || strings.Contains(log, "vendor-words") {
			t.Errorf("the log shows the token, or words of the server:\n%s", log)
		}
	})
	return g
}

// set replaces the assets.
func (s *snipeIT) set(t *testing.T, assets ...fakesnipeit.Asset) {
	t.Helper()
	if err := s.server.SetDevices(t.Context(), assets); err != nil {
		t.Fatal(err)
	}
}

func (s *snipeIT) down(t *testing.T) {
	t.Helper()
	if err := s.server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (s *snipeIT) up(t *testing.T) {
	t.Helper()
	if err := s.server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// testShortest: the first policy file of the page, which has no snapshot.
func (s *snipeIT) testShortest(t *testing.T) {
	g := s.open(t, "", gate.Config{Provisioner: stepca.Provisioner{Template: snipeITTemplate}})
	for line := range strings.Lines(s.guide.block(t, "to it. Then\n", "sh")) {
		command := strings.Fields(line)
		if command[0] != "step-posture-connector" {
			t.Fatalf("the page has the command %q, want one of the connector", line)
		}
		if result, err := g.Run(t.Context(), nil, command[1:]...); err != nil || result.Status != 0 || result.Stdout == "" {
			t.Errorf("%s%+v, %v; want exit status 0", line, result, err)
		}
	}

	cert, err := finalize(t, s.order(t, g.DirectoryURLOf("default"), usedAsset))
	expectIssuedTo(t, usedAsset, cert, err)
	if got, want := cert.Subject.OrganizationalUnit, []string{assetUser}; !slices.Equal(got, want) {
		t.Errorf("organizational units = %q, want %q", got, want)
	}
	if got, want := cert.EmailAddresses, []string{email}; !slices.Equal(got, want) {
		t.Errorf("e-mail addresses = %q, want %q", got, want)
	}
	expectLog(t, g.Connector(), "[ALLOW]", usedAsset, "provider=http", "inventory=snipeit")

	spare := s.order(t, g.DirectoryURLOf("default"), spareAsset)
	cert, err = finalize(t, spare)
	expectRefused(t, g.Connector(), "deviceNotManaged", spareAsset, cert, err)
	cert, err = finalize(t, s.order(t, g.DirectoryURLOf("default"), foreignAsset))
	expectRefused(t, g.Connector(), "deviceNotFound", foreignAsset, cert, err)

	// Without an answer there is no decision, for nobody; a change in Snipe-IT counts for the same order.
	s.down(t)
	expectServerError(t, spare)
	used := s.order(t, g.DirectoryURLOf("default"), usedAsset)
	expectServerError(t, used)
	changed := assets()
	changed[1].Unmanaged, changed[1].User = false, changed[0].User
	s.set(t, changed...)
	s.up(t)
	for serial, order := range map[string]*device.Order{spareAsset: spare, usedAsset: used} {
		cert, err = finalize(t, order)
		expectIssuedTo(t, serial, cert, err)
	}
}

// testSnapshot: with the section's snapshot of the page an outage stops nobody who was allowed, and refuses nobody. What
// was changed counts as soon as Snipe-IT answers.
func (s *snipeIT) testSnapshot(t *testing.T) {
	s.set(t, assets()...)
	g := s.open(t, "\n## Snapshots\n", gate.Config{Kind: stepca.Authorizing})
	expectLog(t, g.Connector(), "snapshot of inventory snipeit: ", "was fetched: 2 devices")
	directory := g.DirectoryURLOf("default")
	spare, foreign := s.order(t, directory, spareAsset), s.order(t, directory, foreignAsset)

	s.down(t)
	cert, err := finalize(t, s.order(t, directory, usedAsset))
	expectIssuedTo(t, usedAsset, cert, err)
	expectLog(t, g.Connector(), "[ALLOW]", usedAsset, "snapshot-age=")
	expectServerError(t, spare)
	expectServerError(t, foreign)

	changed := assets()
	changed[1].Unmanaged = false
	s.set(t, changed...)
	s.up(t)
	cert, err = finalize(t, spare)
	expectIssuedTo(t, spareAsset, cert, err)
	cert, err = finalize(t, foreign)
	expectRefused(t, g.Connector(), "deviceNotFound", foreignAsset, cert, err)
}

// testExport: the file that is exported takes the place of Snipe-IT, as docs/inventory.md says, and decides as it did.
func (s *snipeIT) testExport(t *testing.T) {
	s.set(t, assets()...)
	g := s.open(t, "", gate.Config{Provisioner: stepca.Provisioner{Template: snipeITTemplate}})
	_, policies, _ := strings.Cut(s.guide.block(t, "", "yaml"), "\npolicies:\n")
	if result, err := g.Run(t.Context(), nil, "inventory", "export", "snipeit", "--output", "devices.csv"); err != nil || result.Status != 0 || result.Stderr != "snipeit: 2 devices exported\n" {
		t.Fatalf("inventory export: %+v, %v; want 2 devices", result, err)
	}
	s.down(t)
	defer s.up(t)
	section := readGuide(t, s.lab, "../inventory.md").block(t, "To use the file, name it as an inventory", "yaml")
	if err := g.SetPolicies(section + "policies:\n" + replaceOnce(t, policies, map[string]string{"inventories: [snipeit]": "inventories: [mdm]"})); err != nil {
		t.Fatal(err)
	}
	expectLog(t, g.Connector(), "reloaded: policies")

	cert, err := finalize(t, s.order(t, g.DirectoryURLOf("default"), usedAsset))
	expectIssuedTo(t, usedAsset, cert, err)
	if got, want := cert.Subject.OrganizationalUnit, []string{assetUser}; !slices.Equal(got, want) {
		t.Errorf("organizational units = %q, want %q", got, want)
	}
	for serial, code := range map[string]string{spareAsset: "deviceNotManaged", foreignAsset: "deviceNotFound"} {
		cert, err := finalize(t, s.order(t, g.DirectoryURLOf("default"), serial))
		expectRefused(t, g.Connector(), code, serial, cert, err)
	}
}

func assets() []fakesnipeit.Asset {
	return []fakesnipeit.Asset{
		{Serial: usedAsset, Name: "Ada's Mac", Model: "MacBook Air", User: &fakesnipeit.User{Username: "ada", RealName: assetUser, Email: email, Position: "Engineer"}},
		{Serial: spareAsset, Name: "spare", Model: "MacBook Air", Unmanaged: true},
	}
}

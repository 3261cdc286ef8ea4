package e2e_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/fakesnipeit"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The assets of the simulated Snipe-IT server, and one that it does not have. The user's name would change a certificate
// whose template does not quote it, and is escaped for HTML on the way.
const (
	usedAsset    = "C02SNIPEIT01"
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

// TestSnipeIT follows docs/providers/http.md literally: its first policy file, with the address and the token of a
// simulated Snipe-IT server, decides who gets a certificate.
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
	g := l.open(t, gate.Config{
		Modes: []string{"default"}, Policies: guidePolicies(t, l, server), Trusted: server.CA(), LoggingLevel: 2,
		Provisioner: stepca.Provisioner{Template: snipeITTemplate},
	})

	cert, err := finalize(t, l.order(t, g.DirectoryURLOf("default"), usedAsset))
	expectIssuedTo(t, usedAsset, cert, err)
	if got, want := cert.Subject.OrganizationalUnit, []string{assetUser}; !slices.Equal(got, want) {
		t.Errorf("organizational units = %q, want %q", got, want)
	}
	if got, want := cert.EmailAddresses, []string{email}; !slices.Equal(got, want) {
		t.Errorf("e-mail addresses = %q, want %q", got, want)
	}
	expectLog(t, g.Connector(), "[ALLOW]", usedAsset, "provider=http", "inventory=snipeit")

	spare := l.order(t, g.DirectoryURLOf("default"), spareAsset)
	cert, err = finalize(t, spare)
	expectRefused(t, g.Connector(), "deviceNotManaged", spareAsset, cert, err)
	cert, err = finalize(t, l.order(t, g.DirectoryURLOf("default"), foreignAsset))
	expectRefused(t, g.Connector(), "deviceNotFound", foreignAsset, cert, err)

	// Without an answer there is no decision; a change in Snipe-IT counts for the same order.
	if err := server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectServerError(t, spare)
	changed := assets()
	changed[1].Unmanaged, changed[1].User = false, changed[0].User
	if err := server.SetAssets(t.Context(), changed...); err != nil {
		t.Fatal(err)
	}
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	cert, err = finalize(t, spare)
	expectIssuedTo(t, spareAsset, cert, err)

	report, err := server.Report(t.Context())
	if err != nil || len(report.Violations) > 0 || report.Counts["lookup"] < 4 {
		t.Errorf("Snipe-IT reports %+v, %v, want four lookups or more and no violation", report, err)
	}
	if log := g.Connector().Log(); strings.Contains(log, server.Token()) || strings.Contains(log, "vendor-words") {
		t.Errorf("the log shows the token, or words of the server:\n%s", log)
	}
}

func assets() []fakesnipeit.Asset {
	return []fakesnipeit.Asset{
		{Serial: usedAsset, Name: "Ada's Mac", Model: "MacBook Air", User: &fakesnipeit.User{Username: "ada", RealName: assetUser, Email: email, Position: "Engineer"}},
		{Serial: spareAsset, Name: "spare", Model: "MacBook Air", Unmanaged: true},
	}
}

// guidePolicies is the first policy file of docs/providers/http.md, with the address and the token of the server in the
// place of the example's.
func guidePolicies(t *testing.T, l *lab, server *fakesnipeit.Server) string {
	t.Helper()
	token := filepath.Join(t.TempDir(), "snipeit_token")
	writeFile(t, token, server.Token()+"\n")
	return replaceOnce(t, readGuide(t, l, "http.md").block(t, "", "yaml"), map[string]string{
		"https://snipeit.example.com": server.URL(), "/run/secrets/snipeit_token": token,
	})
}

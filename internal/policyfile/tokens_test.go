package policyfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	path, s := surrounded(t, content(t, "testdata/good/tokens.yaml"))
	s.References = &policyfile.References{}
	f, err := policyfile.Load(path, s)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]posture.TokenRequirement{
		"enrolment": {Policy: "enrolment", In: "2.5.4.35", UDIDIn: "2.5.4.45", Lifetime: 5 * time.Minute},
		"laptops":   {Policy: "laptops", In: "1.3.6.1.4.1.37476.9000.64.1", Lifetime: 30 * 24 * time.Hour, OtherNames: true},
		"phones":    {Policy: "phones", In: "2.5.4.35", Lifetime: time.Second},
	} {
		p := f.Policies[name]
		if p.Token == nil || *p.Token != want || p.Authority(nil).Token != p.Token {
			t.Errorf("the policy %s requires %+v, want %+v", name, p.Token, want)
		}
		if !p.TokenFacts().Has(posture.MustFacts("device.udid")) {
			t.Errorf("the policy %s does not ask for the UDID of the record", name)
		}
	}
	if f.Policies["default"].Token != nil || !f.UsesTokens() {
		t.Errorf("default requires %+v; UsesTokens() = %v", f.Policies["default"].Token, f.UsesTokens())
	}
	var clients []string
	for _, c := range f.Clients {
		clients = append(clients, fmt.Sprintf("%s %s %s", c.Name, c.Bearer.Reveal()[:8], c.Policies))
	}
	if want := []string{"enroll " + secretOf('8')[:8] + " [enrolment]", "mdm " + secretOf('B')[:8] + " [laptops phones]"}; !slices.Equal(clients, want) {
		t.Errorf("the clients are %q, want %q", clients, want)
	}
	// So a reload is made when the file of a bearer changes, and no other file is written over it.
	if want := filepath.Join(filepath.Dir(path), "bearer"); !slices.Equal(s.References.Secrets, []string{want}) || !slices.Contains(s.References.Variables, "NEW8") {
		t.Errorf("the secrets are in the files %q and the variables %q", s.References.Secrets, s.References.Variables)
	}
}

func TestFileWithoutTokens(t *testing.T) {
	t.Parallel()
	for _, tokens := range []string{"", "tokens: {}\n", "tokens: {clients: []}\n"} {
		path, s := surrounded(t, "policies:\n  default: {}\n"+tokens)
		if f, err := policyfile.Load(path, s); err != nil || f.UsesTokens() || len(f.Warnings) > 0 || f.Policies["default"].TokenFacts() != 0 {
			t.Errorf("%q: %v", tokens, err)
		}
	}
}

// What the machine does not have is not asked for; what is written in the place of a bearer is refused all the same.
func TestBearersThatAreNotRead(t *testing.T) {
	t.Parallel()
	const text = "policies:\n  default: {token: {required: true}}\ntokens:\n  clients:\n    - {name: a, bearer: {file: gone}, policies: [default]}\n    - {name: b, bearer: {env: GONE}, policies: [default]}\n"
	for _, c := range []struct {
		content           string
		secrets, webhooks bool // are read
		accepted          bool
	}{
		{text, true, true, false},
		{text, false, true, true},
		{text, true, false, true},
		{strings.Replace(text, "{file: gone}", "hunter2", 1), false, true, false},
		{strings.Replace(text, "{file: gone}", "hunter2", 1), true, false, false},
	} {
		path, s := surrounded(t, c.content)
		s.WithoutSecrets, s.WithoutWebhooks = !c.secrets, !c.webhooks
		f, err := policyfile.Load(path, s)
		if (err == nil) != c.accepted || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s, secrets %v, webhooks %v: %v", c.content, c.secrets, c.webhooks, err)
		}
		if err == nil && (len(f.Clients) != 2 || f.Clients[0].Bearer.IsSet() || len(f.Warnings) > 0) {
			t.Errorf("%+v, %q", f.Clients, f.Warnings)
		}
	}
}

// A bearer that can be guessed, and a file that every user can read, are warnings.
func TestWarningsOfBearers(t *testing.T) {
	t.Parallel()
	const short = ": tokens.clients[0].bearer: the credential is short enough to be guessed; make one with: openssl rand -base64 32"
	const readable = ": tokens.clients[0].bearer.file: every user of this machine can read the file, and there is a secret in it; chmod 600, or 640 with a group of its own"
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // that of the tests is nobody else's
		t.Fatal(err)
	}
	path := filepath.Join(folder, "posture.yaml")
	for _, c := range []struct {
		bearer string
		mode   os.FileMode
		want   []string
	}{
		{"0123456789abcde", 0o600, []string{short}},
		{"0123456789abcdef", 0o600, nil},
		{"0123456789abcdef", 0o640, nil},
		{"0123456789abcdef\n", 0o644, []string{readable}},
		{"!", 0o644, []string{readable, short}},
	} {
		for name, text := range map[string]string{
			"posture.yaml": "policies:\n  default: {token: {required: true}}\ntokens:\n  clients: [{name: a, bearer: {file: bearer}, policies: [default]}]\n",
			"bearer":       c.bearer,
		} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Join(folder, "bearer"), c.mode); err != nil {
			t.Fatal(err)
		}
		f, err := policyfile.Load(path, policyfile.Surroundings{Inventory: "file", WebhookIDs: []string{"11111111-1111-4111-8111-111111111111"}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range f.Warnings {
			_, text, _ := strings.Cut(w, ": ")
			got = append(got, ": "+text)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, %o:\n got  %q\n want %q", c.bearer, c.mode, got, c.want)
		}
	}
}

// The webhooks of WEBHOOK_IDS have the policy default and send both kinds, so that one of the file for AUTHORIZING is not alone.
// The SCEP challenge is what is redeemed before a webhook for X.509 asks, and never for device attestation.
func TestWhoRedeemsForAuthorizing(t *testing.T) {
	t.Parallel()
	hooks := func(policy string, all ...string) string {
		text := "policies:\n  default: {token: {required: true}}\n  other: {inventories: [file], token: {required: true}}\nwebhooks:\n"
		for i, h := range all {
			text += fmt.Sprintf("  - {name: w%d, id: 22222222-2222-4222-8222-%012d, secret: {env: NEW%d}, policy: %s, %s}\n", i, i, i+3, policy, h)
		}
		return text
	}
	const final, x509 = "kind: authorizing", "accepts: x509, kind: authorizing"
	for name, c := range map[string]struct {
		content     string
		environment bool
		alone       bool
	}{
		"the environment":                     {hooks("default", final), true, false},
		"no environment":                      {hooks("default", final), false, true},
		"the environment, another policy":     {hooks("other", final), true, true},
		"the environment attests":             {hooks("default", x509+", identify: request.principal"), true, true},
		"enriching":                           {hooks("other", final, "kind: enriching"), false, false},
		"both":                                {hooks("other", final, "accepts: attested"), false, false},
		"another one, authorizing":            {hooks("other", final, final), false, true},
		"a challenge before X.509":            {hooks("other", x509, "accepts: scep_challenge"), false, false},
		"a challenge beside device attest":    {hooks("other", final, "accepts: scep_challenge"), false, true},
		"X.509 beside device attest":          {hooks("other", final, "accepts: x509, identify: request.principal"), false, true},
		"enriching of X.509":                  {hooks("other", x509+", identify: request.principal", "accepts: x509, identify: request.principal"), false, false},
		"a challenge of its own, two of them": {hooks("other", "accepts: scep_challenge", "accepts: x509"), false, false},
	} {
		path, s := surrounded(t, c.content)
		if !c.environment {
			s.WebhookIDs = nil
		}
		f, err := policyfile.Load(path, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if alone := strings.Contains(strings.Join(f.Warnings, "\n"), "ENRICHING is missing"); alone != c.alone {
			t.Errorf("%s: warned is %v, want %v: %q", name, alone, c.alone, f.Warnings)
		}
	}
}

// Only a webhook that sees the certificate keeps a template from publishing the token.
func TestWhoSeesTheCertificate(t *testing.T) {
	t.Parallel()
	const enriching = "kind: enriching"
	for name, c := range map[string]struct {
		others []string
		warned bool
	}{
		"alone":                       {nil, true},
		"beside authorizing":          {[]string{"policy: other, kind: authorizing"}, false},
		"beside one of both kinds":    {[]string{"policy: other"}, false},
		"beside another policy":       {[]string{"policy: more, kind: authorizing"}, true},
		"beside X.509 by another way": {[]string{"policy: other, accepts: x509, identify: request.principal, kind: authorizing"}, true},
		"beside a second like it":     {[]string{"policy: other, kind: enriching"}, true},
	} {
		text := "policies:\n  other: {inventories: [file], token: {required: true}}\n  more: {inventories: [file]}\nwebhooks:\n"
		for i, h := range append([]string{"policy: other, " + enriching}, c.others...) {
			text += fmt.Sprintf("  - {name: w%d, id: 22222222-2222-4222-8222-%012d, secret: {env: NEW%d}, %s}\n", i, i, i+3, h)
		}
		path, s := surrounded(t, text)
		f, err := policyfile.Load(path, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if warned := strings.Contains(strings.Join(f.Warnings, "\n"), "webhooks[0].policy: the policy other requires an enrolment token, and no webhook with this policy sees the certificate"); warned != c.warned {
			t.Errorf("%s: warned is %v, want %v: %q", name, warned, c.warned, f.Warnings)
		}
	}
}

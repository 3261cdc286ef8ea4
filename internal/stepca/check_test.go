package stepca

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	theID   = "3f0c6c1e-1f0a-4a3e-9a1e-0e9a4bd4b001"
	otherID = "3f0c6c1e-1f0a-4a3e-9a1e-0e9a4bd4b002"
	paths   = "/webhook/device-attest /webhook/certificate /webhook/ssh /webhook/scep-challenge"
)

// recorded is what a step-ca 0.30.2 has answered; testdata has keys and certificates cut short.
func recorded(t *testing.T) []Provisioner {
	t.Helper()
	text, err := os.ReadFile("testdata/provisioners.json")
	if err != nil {
		t.Fatal(err)
	}
	var p page
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	return *p.Provisioners
}

// What a real step-ca answered: each provisioner is read, and the faults of each are found.
func TestCheckRecorded(t *testing.T) {
	t.Parallel()
	own := []Webhook{
		{Name: "devices", ID: "FE93453E-beff-4e45-8167-ba38afe5e65d", Path: "/webhook/device-attest", Signs: true, Attested: true},
		{Name: "loose", ID: "070fdfa9-0c7c-4222-b27b-f0ab4cf79c30", Path: "/webhook/device-attest", Signs: true, Attested: true},
		{Name: "people", ID: "82ee1f05-bd6f-4daf-9544-ba8d5d18d913", Path: "/webhook/certificate", Signs: true, Params: []string{"email"}},
		{Name: "tokens", ID: "fbb792d8-99cb-4af2-bfec-625ce753e4d2", Path: "/webhook/scep-challenge"},
	}
	f := Check(recorded(t), own, strings.Fields(paths))
	want := map[string][]string{
		"faults":   {`"people" (JWK), webhook "posture": its URL has "{{.Token.email}}", which does not end in | urlquery`},
		"warnings": {`"loose" (ACME): its certificates can be renewed`, `"loose" (ACME): it does not have the challenge`, `"loose" (ACME), webhook "posture": it has --disable-tls-client-auth`, `"people" (JWK): its certificates can be renewed`, `"people" (JWK): if the CA signs SSH`},
	}
	for name, got := range map[string][]string{"faults": f.Faults, "warnings": f.Warnings} {
		for _, text := range want[name] {
			if !hasLine(got, text) {
				t.Errorf("%s = %q, want one with %s", name, got, text)
			}
		}
		if len(got) != len(want[name]) {
			t.Errorf("%d %s, want %d: %s", len(got), name, len(want[name]), strings.Join(got, "\n"))
		}
	}
	if len(f.Found) != len(own) {
		t.Errorf("found %q, want %d", f.Found, len(own))
	}
}

func hasLine(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
}

// safe is a provisioner and a webhook about which there is nothing to say.
func safe() (Provisioner, Webhook) {
	yes := true
	return Provisioner{
		Type: "ACME", Name: "devices", Claims: Claims{DisableRenewal: &yes}, Challenges: []string{"device-attest-01"}, AttestationFormats: []string{"apple"},
		Options: Options{Webhooks: []Hook{{ID: theID, Name: "posture", URL: "https://localhost:9443/webhook/device-attest?mode=any", Kind: "ENRICHING", CertType: "ALL"}}},
	}, Webhook{Name: "devices", ID: theID, Policy: "staff", Path: "/webhook/device-attest", Signs: true, Attested: true}
}

// safeX509 is the same for a person's certificate.
func safeX509() (Provisioner, Webhook) {
	p, w := safe()
	p.Type, p.Challenges, p.AttestationFormats = "OIDC", nil, nil
	p.Options.Webhooks[0].URL = "https://localhost:9443/webhook/certificate?email={{ .Token.email | urlquery }}"
	w.Path, w.Attested, w.Params = "/webhook/certificate", false, []string{"email"}
	return p, w
}

// Each row changes one thing of what is safe, and is warned of that one thing.
func TestCheckWarns(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	hook := func(p *Provisioner) *Hook { return &p.Options.Webhooks[0] }
	for name, row := range map[string]struct {
		x509   bool
		change func(*Provisioner, *Webhook)
		want   []string // one for each warning; none if there is nothing to say
	}{
		"safe":               {false, func(*Provisioner, *Webhook) {}, nil},
		"safe, X.509":        {true, func(*Provisioner, *Webhook) {}, nil},
		"renewal":            {false, func(p *Provisioner, _ *Webhook) { p.Claims.DisableRenewal = &no }, []string{"can be renewed. step-ca asks no webhook"}},
		"renewal by default": {false, func(p *Provisioner, _ *Webhook) { p.Claims.DisableRenewal = nil }, []string{"unless disableRenewal is true in authority.claims"}},
		"expired": {false, func(p *Provisioner, _ *Webhook) {
			p.Claims = Claims{DisableRenewal: &no, AllowRenewalAfterExpiry: &yes}
		}, []string{"can be renewed", "have expired"}},
		"expired, no renewal":   {false, func(p *Provisioner, _ *Webhook) { p.Claims.AllowRenewalAfterExpiry = &yes }, nil},
		"all formats":           {false, func(p *Provisioner, _ *Webhook) { p.AttestationFormats = nil }, []string{"each attestation format"}},
		"two formats":           {false, func(p *Provisioner, _ *Webhook) { p.AttestationFormats = []string{"apple", "tpm"} }, []string{"formats apple, tpm"}},
		"no challenge":          {false, func(p *Provisioner, _ *Webhook) { p.Challenges = nil }, []string{"does not have the challenge"}},
		"other challenge":       {false, func(p *Provisioner, _ *Webhook) { p.Challenges = append(p.Challenges, "dns-01") }, []string{"accepts dns-01 beside"}},
		"no client certificate": {false, func(p *Provisioner, _ *Webhook) { hook(p).DisableTLSClientAuth = true }, []string{"--disable-tls-client-auth"}},
		"path":                  {false, func(p *Provisioner, _ *Webhook) { hook(p).URL = "https://localhost:9443/webhook/ssh" }, []string{`path "/webhook/ssh"`}},
		"path from a template":  {false, func(p *Provisioner, _ *Webhook) { hook(p).URL = "https://localhost:9443/{{ .Token.sub | urlquery }}" }, []string{`path "/{{…}}"`}},
		"kind":                  {false, func(_ *Provisioner, w *Webhook) { w.Kind = "AUTHORIZING" }, []string{"needs AUTHORIZING"}},
		"kind of SCEP":          {false, func(p *Provisioner, _ *Webhook) { hook(p).Kind = "NOTIFYING" }, []string{"does not fit what it accepts"}},
		"only SSH":              {true, func(p *Provisioner, _ *Webhook) { hook(p).CertType = "SSH" }, []string{"never asked about one", "signs X.509 certificates without asking"}},
		"SSH not asked":         {true, func(p *Provisioner, _ *Webhook) { hook(p).CertType, p.Claims.EnableSSHCA = "X509", &yes }, []string{"does so without asking"}},
		"not ACME":              {false, func(p *Provisioner, _ *Webhook) { p.Type = "JWK" }, []string{"only a provisioner of the type ACME"}},
		"type of provisioner":   {true, func(_ *Provisioner, w *Webhook) { w.ProvisionerType = "JWK" }, []string{`type "JWK"`}},
		"name of provisioner":   {true, func(_ *Provisioner, w *Webhook) { w.ProvisionerName = "other" }, []string{`provisioner "other"`}},
		"missing parameter":     {true, func(_ *Provisioner, w *Webhook) { w.Params = append(w.Params, "host") }, []string{`does not have the parameter "host"`}},
		"unlisted parameter":    {true, func(_ *Provisioner, w *Webhook) { w.Params = []string{} }, []string{`"email", which params does not list`}},
		"doubled parameter":     {true, func(p *Provisioner, _ *Webhook) { hook(p).URL += "&email=x" }, []string{`"email" twice`}},
		"authorizing missing":   {false, func(_ *Provisioner, w *Webhook) { w.NeedsAuthorizing = true }, []string{"has rules for AUTHORIZING"}},
		"token without final":   {false, func(_ *Provisioner, w *Webhook) { w.Token = true }, []string{"requires an enrolment token, and no AUTHORIZING webhook"}},
		"trust on first use":    {true, func(p *Provisioner, _ *Webhook) { p.Type = "AWS" }, []string{"trust on first use"}},
		"no trust on first use": {true, func(p *Provisioner, _ *Webhook) { p.Type, p.DisableTrustOnFirstUse = "GCP", true }, nil},
		"OIDC admins":           {true, func(p *Provisioner, _ *Webhook) { p.Admins = []string{"a@example.com"} }, []string{"has admins"}},
		"Kubernetes": {true, func(p *Provisioner, w *Webhook) {
			p.Type, w.Params, hook(p).URL = "K8SSA", nil, "https://h/webhook/certificate"
		}, []string{"any service account"}},
		"SCEP without challenge": {true, func(p *Provisioner, _ *Webhook) { p.Type, p.Claims.DisableRenewal = "SCEP", nil }, []string{"no SCEPCHALLENGE webhook"}},
		"another ID":             {false, func(_ *Provisioner, w *Webhook) { w.ID = otherID }, []string{"no provisioner of the CA has the ID", "refused with 401"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, w := safe()
			if row.x509 {
				p, w = safeX509()
			}
			row.change(&p, &w)
			f := Check([]Provisioner{p}, []Webhook{w}, strings.Fields(paths))
			if len(f.Faults) != 0 || len(f.Warnings) != len(row.want) {
				t.Errorf("faults %q, warnings %q, want %d warnings", f.Faults, f.Warnings, len(row.want))
			}
			for _, want := range row.want {
				if !hasLine(f.Warnings, want) {
					t.Errorf("warnings %q, want one with %s", f.Warnings, want)
				}
			}
		})
	}
}

// SSHPOP counts where the connector decides about hosts, and its disableRenewal is not enough.
func TestCheckHosts(t *testing.T) {
	t.Parallel()
	yes := true
	p, w := safeX509()
	p.Options.Webhooks[0].CertType, p.Options.Webhooks[0].URL = "SSH", "https://localhost:9443/webhook/ssh?host={{ .Token.sub | urlquery }}"
	w.Path, w.SSH, w.Host, w.Params = "/webhook/ssh", true, true, []string{"host"}
	pop := Provisioner{Type: "SSHPOP", Name: "sshpop"}
	if f := Check([]Provisioner{p, pop}, []Webhook{w}, strings.Fields(paths)); !hasLine(f.Warnings, `"sshpop" (SSHPOP): hosts renew and rekey`) {
		t.Errorf("warnings %q, want one about renew and rekey", f.Warnings)
	}
	pop.Claims.DisableRenewal = &yes
	if f := Check([]Provisioner{p, pop}, []Webhook{w}, strings.Fields(paths)); !hasLine(f.Warnings, "hosts rekey, in spite of disableRenewal") {
		t.Errorf("warnings %q, want one about rekey", f.Warnings)
	}
	if f := Check([]Provisioner{p}, []Webhook{w}, strings.Fields(paths)); hasLine(f.Warnings, "SSHPOP") {
		t.Errorf("warnings %q, want none about SSHPOP", f.Warnings)
	}
}

// An AUTHORIZING webhook of the same policy is what a policy with rules for it needs; one of another policy is not.
func TestCheckAuthorizing(t *testing.T) {
	t.Parallel()
	p, w := safe()
	w.NeedsAuthorizing = true
	second := p.Options.Webhooks[0]
	second.ID, second.Kind, second.Name = otherID, "AUTHORIZING", "final"
	p.Options.Webhooks = append(p.Options.Webhooks, second)
	final := w
	final.ID = otherID
	for policy, want := range map[string]bool{"staff": false, "other": true} {
		final.Policy, final.NeedsAuthorizing = policy, false
		f := Check([]Provisioner{p}, []Webhook{w, final}, strings.Fields(paths))
		if got := hasLine(f.Warnings, "has rules for AUTHORIZING"); got != want {
			t.Errorf("AUTHORIZING with the policy %s: warned %v, want %v: %q", policy, got, want, f.Warnings)
		}
	}
}

// Which URLs a client could write a parameter into.
func TestCheckTemplates(t *testing.T) {
	t.Parallel()
	for query, fault := range map[string]string{
		"":                                  "",
		"email=x":                           "",
		"email={{.Token.email}}":            "{{.Token.email}}",
		"email={{.Token.email|html}}":       "{{.Token.email | html}}",
		"email={{.Token.email | urlquery}}": "",
		"email={{ urlquery .Token.email }}": "",
		"email={{.Token.email | urlquery | lower}}":                             "{{.Token.email | urlquery | lower}}",
		"email={{.Token.email | toJson | unheardOf | urlquery}}":                "",
		"email={{ (urlquery .Token.email) }}":                                   "{{(urlquery .Token.email)}}",
		"{{ $x := .Token.email }}email={{ $x | urlquery }}":                     "",
		"{{ $x := .Token.email }}email={{ $x }}":                                "{{$x}}",
		"{{ if .Token.email }}email={{ .Token.email }}{{ end }}":                "{{.Token.email}}",
		"{{ if .a }}{{ else }}email={{ .Token.email }}{{ end }}":                "{{.Token.email}}",
		"email={{ with .Token.email }}{{ . }}{{ end }}":                         "{{.}}",
		"email={{ range .Token.emails }}{{ . }}{{ end }}":                       "{{.}}",
		`{{ define "m" }}{{ .Token.email }}{{ end }}email={{ template "m" . }}`: "{{.Token.email}}",
		`email={{ block "m" . }}{{ .Token.email }}{{ end }}`:                    "{{.Token.email}}",
		"email={{ .Token.email":                                                 "is no template",
	} {
		p, w := safeX509()
		p.Options.Webhooks[0].URL = "https://localhost:9443/webhook/certificate?" + query
		f := Check([]Provisioner{p}, []Webhook{w}, strings.Fields(paths))
		switch {
		case fault == "" && len(f.Faults) != 0, fault != "" && len(f.Faults) != 1:
			t.Errorf("%s: faults %q", query, f.Faults)
		case fault != "" && !strings.Contains(f.Faults[0], fault):
			t.Errorf("%s: fault %q, want one about %s", query, f.Faults[0], fault)
		}
	}
}

// Another connector may be asked by the same CA: its host is another one. Texts of the CA are short and printable.
func TestCheckStrangers(t *testing.T) {
	t.Parallel()
	p, w := safe()
	stranger := p
	stranger.Name = "new\n\x1b[31m" + strings.Repeat("x", 1000)
	stranger.Options.Webhooks = []Hook{{ID: otherID, Name: "theirs", URL: "https://localhost:9443/webhook/device-attest", Kind: "ENRICHING"}}
	f := Check([]Provisioner{p, stranger}, []Webhook{w}, strings.Fields(paths))
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], `"new\n\x1b[31mxxx`) || len(f.Warnings[0]) > 500 {
		t.Errorf("warnings %q, want one about the stranger, short and printable", f.Warnings)
	}
	stranger.Options.Webhooks[0].URL = "https://other.example.com/webhook/device-attest"
	if f := Check([]Provisioner{p, stranger}, []Webhook{w}, strings.Fields(paths)); len(f.Warnings) != 0 {
		t.Errorf("warnings %q about another connector, want none", f.Warnings)
	}
}

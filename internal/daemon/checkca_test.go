package daemon_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"step-posture-connector/internal/daemon"
)

// ofEachKind is a policy file with a webhook for each kind of requests. The rules for AUTHORIZING are those of the policy desk.
const ofEachKind = `
inventories:
  people: {provider: file, path: devices.csv, type: csv}
policies:
  staff: {inventories: [people]}
  laptops: {inventories: [people], token: {required: true}}
  desk:
    inventories: [people]
    rules:
      - {name: own_names, when: 'request.kind == "authorizing"', require: 'request.names == [request.url.sub]'}
webhooks:
  - {name: macs, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b01, secret: {file: secret1}, policy: staff}
  - {name: desk, id: 0E0F0A53-6F3F-4D8E-9A1C-1B1E0B8D6B02, secret: {file: secret2}, policy: desk, accepts: x509, kind: enriching, params: [sub], identify: request.url.sub}
  - {name: final, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b03, secret: {file: secret3}, policy: desk, accepts: x509, kind: authorizing, params: [sub], identify: request.url.sub}
  - {name: logins, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b04, secret: {file: secret4}, policy: staff, accepts: ssh_user, provisioner: {type: JWK, name: desk}, params: [sub], identify: request.url.sub}
  - {name: hosts, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b05, secret: {file: secret5}, policy: staff, accepts: ssh_host, identify: request.ssh.key_id}
  - {name: tokens, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b06, secret: {file: secret6}, policy: laptops, accepts: scep_challenge}
  - {name: scep, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b07, secret: {file: secret7}, policy: laptops, accepts: x509}
  - {name: told, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b08, secret: {file: secret8}, accepts: scep_notification}
  - {name: signed, id: 0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b09, secret: {file: secret9}, policy: laptops, accepts: x509}
`

// itsProvisioners is what a CA answers about which there is nothing to say.
const itsProvisioners = `{"provisioners": [
{"type": "ACME", "name": "macs", "claims": {"disableRenewal": true}, "challenges": ["device-attest-01"], "attestationFormats": ["apple"], "options": {"webhooks": [
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b01", "name": "macs", "url": "https://c/webhook/device-attest?mode=computer", "kind": "ENRICHING", "certType": "X509"}]}},
{"type": "JWK", "name": "desk", "claims": {"disableRenewal": true, "enableSSHCA": true}, "options": {"webhooks": [
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b02", "name": "desk", "url": "https://c/webhook/certificate?sub={{.Token.sub | urlquery}}", "kind": "ENRICHING", "certType": "X509"},
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b03", "name": "final", "url": "https://c/webhook/certificate?sub={{.Token.sub | urlquery}}", "kind": "AUTHORIZING", "certType": "X509"},
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b04", "name": "logins", "url": "https://c/webhook/ssh?sub={{.Token.sub | urlquery}}", "kind": "ENRICHING", "certType": "SSH"}]}},
{"type": "Nebula", "name": "hosts", "claims": {"disableRenewal": true, "enableSSHCA": true}, "options": {"webhooks": [
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b05", "name": "hosts", "url": "https://c/webhook/ssh", "kind": "AUTHORIZING", "certType": "SSH"},
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8dffff", "name": "theirs", "url": "https://other/webhook/certificate", "kind": "AUTHORIZING", "certType": "X509"}]}},
{"type": "SCEP", "name": "scep", "options": {"webhooks": [
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b06", "name": "tokens", "url": "https://c/webhook/scep-challenge", "kind": "SCEPCHALLENGE", "certType": "ALL"},
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b07", "name": "scep", "url": "https://c/webhook/certificate", "kind": "ENRICHING", "certType": "ALL"},
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b09", "name": "signed", "url": "https://c/webhook/certificate", "kind": "AUTHORIZING", "certType": "ALL"},
 {"id": "0e0f0a53-6f3f-4d8e-9a1c-1b1e0b8d6b08", "name": "told", "url": "https://c/webhook/scep-notification", "kind": "NOTIFYING", "certType": "ALL"}]}}]}`

const noSigningX509 = "it signs X.509 certificates without asking" // by Nebula, which has an SSH webhook alone

// askedOf loads the configuration, and compares it with a CA that gives this answer.
func (in installation) askedOf(t *testing.T, answer string, changes map[string]string) (found, warnings []string, err error) {
	t.Helper()
	d := in.loaded(t, changes)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	t.Cleanup(server.Close)
	ca, err := daemon.ParseCA(server.URL, server.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return d.CheckCA(t.Context(), ca)
}

// withKinds is an installation with a policy file.
func withKinds(t *testing.T, policies string) (in installation, changes map[string]string) {
	t.Helper()
	in = install(t)
	in.write(t, "posture.yaml", policies)
	for n := range strings.Count(policies, "{file: secret") {
		in.write(t, "secret"+string(rune('1'+n)), strings.Replace(in.secret, "c", string(rune('A'+n)), 1))
	}
	return in, map[string]string{"POLICY_PATH": "DIR/posture.yaml", "STATE_URL": "sqlite:DIR/state.db", "PROVIDER": "", "FILE_PATH": "", "FILE_TYPE": "", "WEBHOOK_IDS": "", "WEBHOOK_SECRETS": ""}
}

// Each row changes one thing of the policy file or of the CA, and is warned of that.
func TestCheckCAComparesThePolicyFile(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		inFile, inCA []string // what is replaced, and by what
		want         []string // beside noSigningX509
		fault        string
	}{
		"nothing":                {},
		"path of SSH":            {inCA: []string{"/webhook/ssh?", "/webhook/certificate?"}, want: []string{`webhook "logins": its URL has the path "/webhook/certificate"; what it accepts is served at /webhook/ssh`}},
		"path of a challenge":    {inCA: []string{"/webhook/scep-challenge", "/webhook/scep"}, want: []string{`what it accepts is served at /webhook/scep-challenge`}},
		"path of a notification": {inCA: []string{"/webhook/scep-notification", "/webhook/scep"}, want: []string{`what it accepts is served at /webhook/scep-notification`}},
		"kind of the file":       {inFile: []string{"kind: authorizing", "kind: enriching"}, want: nil, fault: "no webhook says that it sends that"},
		"kind of the CA":         {inCA: []string{`"kind": "AUTHORIZING", "certType": "X509"},`, `"kind": "ENRICHING", "certType": "X509"},`}, want: []string{`webhook "final": it is ENRICHING in step-ca, and the configuration needs AUTHORIZING`, `the policy "desk" has rules for AUTHORIZING`}},
		"kind of a challenge":    {inCA: []string{"SCEPCHALLENGE", "NOTIFYING"}, want: []string{`webhook "tokens": it is NOTIFYING in step-ca, and the configuration needs SCEPCHALLENGE`, "no SCEPCHALLENGE webhook"}},
		"kind of a notification": {inCA: []string{`"NOTIFYING"`, `"AUTHORIZING"`}, want: []string{`webhook "told": it is AUTHORIZING in step-ca, and the configuration needs NOTIFYING`}},
		"parameter in the file":  {inFile: []string{"accepts: ssh_host", "params: [host], accepts: ssh_host"}, want: []string{`webhook "hosts": its URL does not have the parameter "host"`}},
		"parameter in the CA":    {inCA: []string{"https://c/webhook/ssh\"", "https://c/webhook/ssh?host=a\""}, want: []string{`webhook "hosts": its URL has the parameter "host", which params does not list`}},
		"token, not seen":        {inCA: []string{`"AUTHORIZING", "certType": "ALL"`, `"ENRICHING", "certType": "ALL"`}, want: []string{"nobody sees whether the certificate shows the token"}},
		"token, not sent":        {inCA: []string{`"ENRICHING", "certType": "ALL"`, `"AUTHORIZING", "certType": "ALL"`}, want: []string{"nobody gets the token"}},
		"parameter of SCEP":      {inCA: []string{"/webhook/scep-challenge", "/webhook/scep-challenge?a=b"}, want: []string{`webhook "tokens": its URL has the parameter "a", which params does not list`}},
		"type of provisioner":    {inFile: []string{"type: JWK", "type: OIDC"}, want: []string{`webhook "logins": the configuration says that it belongs to a provisioner of the type "OIDC"`}},
		"name of provisioner":    {inFile: []string{"name: desk}, params", "name: people}, params"}, want: []string{`webhook "logins": the configuration says that it belongs to the provisioner "people"`}},
		"SSH is asked of X.509":  {inCA: []string{`"AUTHORIZING", "certType": "X509"},`, `"AUTHORIZING", "certType": "ALL"},`}, want: []string{`webhook "final": it accepts X.509 certificates, and is asked about SSH certificates too`}},
		"X.509 is asked of SSH":  {inCA: []string{`"ENRICHING", "certType": "SSH"`, `"ENRICHING", "certType": "ALL"`}, want: []string{`webhook "logins": it accepts SSH certificates, and is asked about X.509 certificates too`}},
		"SSHPOP":                 {inCA: []string{`{"type": "SCEP"`, `{"type": "SSHPOP", "name": "pop"}, {"type": "SCEP"`}, want: []string{`"pop" (SSHPOP): hosts renew and rekey`}},
		"a stranger":             {inCA: []string{"https://other/", "https://c/"}, want: []string{`webhook "theirs": it has the path /webhook/certificate, and an ID that the configuration does not have`}},
		"not escaped":            {inCA: []string{"ssh?sub={{.Token.sub | urlquery}}", "ssh?sub={{.Token.sub}}"}, fault: `webhook "logins": its URL has "{{.Token.sub}}", which does not end in | urlquery`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, changes := withKinds(t, replaced(t, ofEachKind, row.inFile))
			if row.inFile != nil && row.fault != "" { // it is not loaded
				if got := strings.Join(in.refused(t, changes), "\n"); !strings.Contains(got, row.fault) {
					t.Errorf("Load: %s, want %s", got, row.fault)
				}
				return
			}
			found, warnings, err := in.askedOf(t, replaced(t, itsProvisioners, row.inCA), changes)
			if (err == nil) != (row.fault == "") || err != nil && !strings.Contains(err.Error(), row.fault) {
				t.Errorf("error %v, want %q", err, row.fault)
			}
			if of := strings.Count(ofEachKind, "secret:"); len(found) != of+1 {
				t.Errorf("found %q, want %d webhooks and the CA", found, of)
			}
			want := append([]string{noSigningX509}, row.want...)
			if len(warnings) != len(want) {
				t.Errorf("%d warnings, want %d: %s", len(warnings), len(want), strings.Join(warnings, "\n"))
			}
			for _, text := range want {
				if !strings.Contains(strings.Join(warnings, "\n"), text) {
					t.Errorf("warnings\n%s\nwant one with %s", strings.Join(warnings, "\n"), text)
				}
			}
		})
	}
}

// replaced makes a change once; nil changes nothing.
func replaced(t *testing.T, text string, change []string) string {
	t.Helper()
	if change == nil {
		return text
	}
	if !strings.Contains(text, change[0]) {
		t.Fatalf("there is no %s to change", change[0])
	}
	return strings.Replace(text, change[0], change[1], 1)
}

// Webhooks of the environment are attested, with or without a policy file. With one, their policy is default.
func TestCheckCAComparesTheEnvironment(t *testing.T) {
	t.Parallel()
	const its = `{"provisioners": [{"type": "ACME", "name": "macs", "claims": {"disableRenewal": true}, "challenges": ["device-attest-01"], "attestationFormats": ["apple"], "options": {"webhooks": [
{"id": "98a6ad8d-d8e5-4d1d-b465-770fb66a5207", "name": "macs", "url": "https://c/webhook/device-attest", "kind": "ENRICHING", "certType": "X509"},
{"id": "98a6ad8d-d8e5-4d1d-b465-770fb66affff", "name": "theirs", "url": "https://c/webhook/certificate", "kind": "ENRICHING", "certType": "X509"}]}}]}`
	for name, row := range map[string]struct{ file, want string }{
		"no policy file":        {"", ""}, // the path of the stranger does not exist
		"no rules":              {"policies:\n  default: {}\n", `webhook "theirs": it has the path /webhook/certificate`},
		"rules for AUTHORIZING": {"policies:\n  default:\n    rules:\n      - {name: cn, when: 'request.kind == \"authorizing\"', require: request.certificate.common_name == device.name}\n", `the policy "default" has rules for AUTHORIZING`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			changes := map[string]string{}
			if row.file != "" {
				in.write(t, "posture.yaml", row.file)
				changes["POLICY_PATH"] = "DIR/posture.yaml"
			}
			found, warnings, err := in.askedOf(t, its, changes)
			if text := strings.Join(warnings, "\n"); err != nil || len(found) != 2 || !strings.Contains(text, row.want) || (row.want == "" && text != "") {
				t.Errorf("found %q, warnings %q, %v, want %q", found, warnings, err, row.want)
			}
		})
	}
}

package httpjson_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/provider/httpjson"
)

// TestHostileSections: a section that cannot be meant, or that would give a secret away, is a fault when it is read.
func TestHostileSections(t *testing.T) {
	t.Parallel()
	const section = `
base_url: BASE
secrets: {token: {env: TOKEN}, client: {env: CLIENT}}
select: {items: "[body]", more: "false"}
map: {device.serial_number: item.sn, device.managed: "true"}
`
	const usual = "\nrequest: {path: '/v1/{{identifier}}'}\n"
	const oauth = usual + "auth: {type: oauth2_client_credentials, token_url: %s, client_id: '{{secret.client}}', client_secret: '{{secret.token}}'}\n"
	token := func(url string) string { return strings.Replace(oauth, "%s", url, 1) }
	const https, near = "https://assets.example.org", "http://localhost:8080\ninsecure_http: true"
	for name, row := range map[string]struct{ base, more, want string }{
		// A pattern that ends the group in which the whole identifier is compared.
		"quoting in a pattern":   {https, usual + `identifiers: '^\Q$'`, "identifiers: it is no such regular expression"},
		"deep pattern":           {https, usual + "identifiers: ^" + strings.Repeat("(", 999) + "a" + strings.Repeat(")", 999) + "$", "identifiers: it is no such regular expression"},
		"brackets of a pattern":  {https, usual + "identifiers: '^a$)|(?:.*$'", "identifiers: it is no such regular expression"},
		"an escaped end":         {https, usual + `identifiers: '^a\$'`, "identifiers: it is no such regular expression"},
		"token over http":        {https, token("http://assets.example.org/token"), "token_url: does not begin with https://"},
		"token over http beside": {near, token("http://localhost:8080/token"), ""},
		"token over http far":    {near, token("http://localhost:8081/token"), "token_url: does not begin with https://"},
		"a number as host":       {"http://134744072\ninsecure_http: true", usual, "the host is not on this machine or in the same cluster"},
		"a hex number as host":   {"http://0x8080808\ninsecure_http: true", usual, "the host is not on this machine or in the same cluster"},
		"a zone as host":         {"http://[fe80::1%25]\ninsecure_http: true", usual, "base_url"},
		"a name as host":         {"http://inventory\ninsecure_http: true", usual, ""},
		"name of auth header":    {https, usual + "auth: {type: header, name: 'X Key', value: '{{secret.token}}'}", "auth.name: it is no name of a header"},
		"line break in the name": {https, usual + `auth: {type: header, name: "X-Key\r\nX-Other", value: '{{secret.token}}'}`, "auth.name: it is no name of a header"},
		"header twice":           {https, usual + "headers: {X-Site: a, x-site: b}", "headers.x-site: duplicate header X-Site"},
		"header of request twice": {
			https, "\nrequest: {path: '/v1/{{identifier}}', headers: {X-Site: a, x-site: b}}",
			"request.headers.x-site: duplicate header X-Site",
		},
		"header of request and auth": {
			https, "\nrequest: {path: '/v1/{{identifier}}', headers: {authorization: 'Bearer {{secret.client}}'}}\nauth: {type: bearer, token: '{{secret.token}}'}",
			"request.headers.authorization: auth sets the header Authorization too",
		},
		"variable that is ..":    {https, "\nvars: {up: ..}\nrequest: {path: '/v1/{{vars.up}}/{{identifier}}'}", "request.path: a part of the path is empty, . or .."},
		"variable that is empty": {https, "\nvars: {up: ''}\nrequest: {path: '/v1/{{vars.up}}/{{identifier}}'}", "request.path: a part of the path is empty, . or .."},
		"step that is a literal": {https, usual + "then: [{name: 'true', request: {path: /x}, more: 'false'}]", "then[0].name: it is a word of expressions"},
		"step that is null":      {https, usual + "then: [{name: 'null', request: {path: /x}, more: 'false'}]", "then[0].name: it is a word of expressions"},
		"step that is reserved":  {https, usual + "then: [{name: in, request: {path: /x}, more: 'false'}]", "then[0].name: it is a word of expressions"},
		"number of another kind": {https, "\nrequest: {method: POST, path: '/v1/{{identifier}}', body: {limit: 0o17}}", "request.body"},
		"number without end":     {https, "\nrequest: {method: POST, path: '/v1/{{identifier}}', body: {limit: .inf}}", "request.body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, faults := read(t, strings.Replace(section, "BASE", row.base, 1)+row.more)
			if row.want == "" && faults != "" || !strings.Contains(faults, row.want) {
				t.Errorf("faults %q, want %q", faults, row.want)
			}
		})
	}
}

// TestHostileSecrets: a secret that changes what another part of the header says is an error when the inventory is opened.
func TestHostileSecrets(t *testing.T) {
	t.Parallel()
	c := configured(t, `
base_url: https://assets.example.org
secrets: {token: {env: TOKEN}}
auth: {type: basic, username: "admin:{{secret.token}}", password: ""}
request: {path: "/v1/{{serial}}"}
select: {items: "[body]", more: "false"}
map: {device.serial_number: item.sn, device.managed: "true"}
`)
	_, _, err := httpjson.Open(c)
	if err == nil || !strings.Contains(err.Error(), "auth: the user name has a colon") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("Open = %v", err)
	}
}

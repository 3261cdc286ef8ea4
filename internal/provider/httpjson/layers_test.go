package httpjson_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson"
)

// TestLayers: a section over a preset merges map, vars, secrets, headers, limits and list by key, null removes, and the rest
// replaces whole.
func TestLayers(t *testing.T) {
	t.Parallel()
	const section = `
preset: netbox@1
base_url: https://netbox.example.org
secrets: {token: {env: TOKEN}}
map: {user.email_address: item.custom_fields.?owner, device.model: null}
list: {next: null}
`
	c := configured(t, section)
	if c.Facts().Has(posture.MustFacts("device.model")) || !c.Facts().Has(posture.MustFacts("user.email_address", "device.name", "device.managed")) {
		t.Errorf("Facts = %q", c.Facts().Names())
	}
	d, _, err := sampled(t, c, 200, `{"next":null,"results":[{"serial":"C02","status":{"value":"active"},"custom_fields":{"owner":"a@b"},"tags":[]}]}`, posture.AllFacts())
	if mail, _ := d.Facts.User.EmailAddress.Get(); err != nil || mail != "a@b" {
		t.Errorf("Lookup = %+v, %v", d, err)
	}
	// The rest replaces whole: select of the section has no more of the preset.
	if _, _, faults := read(t, section+"select: {items: body.results}\n"); !strings.Contains(faults, "select.more: it is missing") {
		t.Errorf("faults = %s", faults)
	}
	for change, want := range map[string]string{
		"preset: netbox@2":                "unknown preset; did you mean netbox@1?; accepted: ",
		"map: {device.modell: null}":      "there is nothing to remove",
		"vars: {scheme: null}":            "preset: the preset does not fit: auth.value: unknown variable",
		"secrets: {tokn: {env: TOKEN}}":   "the preset does not fit: auth.value: unknown secret; did you mean tokn?",
		"map: {device.managed: itm.x}":    `unknown name "itm"; did you mean item?`,
		"limits: {timeot: 3s}":            "unknown key; did you mean timeout?",
		"request: null":                   "it has no value",
		"base_url: http://netbox.invalid": "does not begin with https://",
	} {
		if _, _, faults := read(t, replaced(section, change)); !strings.Contains(faults, want) {
			t.Errorf("%s: faults = %s, want %s", change, faults, want)
		}
	}
}

// TestPresets: each preset has no fault, except that it lacks what its site has to say.
func TestPresetsAreRead(t *testing.T) {
	t.Parallel()
	if len(httpjson.Presets()) == 0 || !slices.IsSorted(httpjson.Presets()) {
		t.Fatalf("Presets = %q", httpjson.Presets())
	}
	for _, name := range httpjson.Presets() {
		_, _, faults := read(t, "preset: "+name+"\nbase_url: https://service.example.org\n"+
			"secrets: {token: {env: TOKEN}, api_key: {env: TOKEN}, client_id: {env: TOKEN}, client_secret: {env: TOKEN}, tenant_code: {env: TOKEN}}\n")
		if faults != "" {
			t.Errorf("%s: %s", name, faults)
		}
	}
}

// TestIdentity: secrets and limits are other settings of the same account; a mapping, a URL and a variable are another one.
func TestIdentity(t *testing.T) {
	t.Parallel()
	_, before, _ := read(t, assets)
	for change, account := range map[string]bool{
		"secrets: {token: {env: CLIENT}}":                   false,
		"limits: {timeout: 3s}":                             false,
		"base_url: https://other.example.org":               true,
		"vars: {a: b}":                                      true,
		"search: exact":                                     true,
		"headers: {X-Site: b}":                              true,
		"identifiers: ^[A-Z]+$":                             true,
		"request: {path: /v2/devices/{{serial}}}":           true,
		"select: {items: body.devices, more: body.?more}":   true,
		"outcome: {found: [200, 203]}":                      true,
		"list: {request: {path: /v1/all}, items: body.all}": true,
	} {
		if change == "identifiers: ^[A-Z]+$" || strings.Contains(change, "/v2/") {
			change = strings.Replace(change, "{path: /v2/devices/{{serial}}}", `{path: "/v2/devices/{{identifier}}"}`, 1)
		}
		section := replaced(assets, change)
		if strings.HasPrefix(change, "identifiers") {
			section = strings.ReplaceAll(section, "{{serial}}", "{{identifier}}")
		}
		_, after, faults := read(t, section)
		if faults != "" || after.Settings == before.Settings || (after.Account != before.Account) != account {
			t.Errorf("%s: settings are the same: %v, the account is: %v; %s", change, after.Settings == before.Settings, after.Account == before.Account, faults)
		}
	}
}

// TestOpenFails: what only Open can find is an error without a secret in it.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		"ca_file: missing.pem": "ca_file: ",
		`auth: {type: mtls, cert: missing.pem, key: missing.pem}`: "auth: cert: ",
	} {
		_, _, err := httpjson.Open(configured(t, replaced(assets, change)))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden-secret") {
			t.Errorf("%s: Open = %v", change, err)
		}
	}
	if _, _, err := httpjson.Open(httpjson.Config{}); err == nil || errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Open of nothing = %v", err)
	}
}

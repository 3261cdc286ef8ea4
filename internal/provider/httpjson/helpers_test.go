package httpjson_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson"
)

// read reads a section, with the secrets token and client. The text is what is wrong with it.
func read(t testing.TB, section string) (httpjson.Config, config.Identity, string) {
	t.Helper()
	var c httpjson.Config
	d, root, err := document.Parse("posture.yaml", []byte(section), c.SectionShape())
	if err != nil {
		t.Fatal(err)
	}
	secrets := &config.SecretReader{Folder: t.TempDir(), Environ: map[string]string{"TOKEN": "hidden-secret", "CLIENT": "other-secret"}}
	identity := c.ReadSection(config.Section{Value: root, Secrets: secrets})
	return c, identity, d.Faults().Error()
}

// configured reads a section without a fault.
func configured(t testing.TB, section string) httpjson.Config {
	t.Helper()
	c, _, faults := read(t, section)
	if faults != "" {
		t.Fatalf("the section has faults:\n%s", faults)
	}
	return c
}

// assets is a section with all parts that tests change. The first line is for more keys.
const assets = `
base_url: https://assets.example.org
secrets: {token: {env: TOKEN}}
auth: {type: bearer, token: "{{secret.token}}"}
request: {path: /v1/devices, query: {serial: "{{serial}}"}}
outcome: {found: [200], not_found: 'status == 404 && body.?error == optional.of("unknown")', fault: 'has(body.broken)', empty_body: {204: not_found}}
select: {items: body.devices, more: body.more, pick: newest}
map:
  device.serial_number: item.sn
  device.managed: item.?state == optional.of("issued")
  device.last_seen: item.?seen
  device.os_version: item.?os
  device.encrypted: item.?crypt
  device.groups: item.?tags
  user.email_address: item.?owner.?mail
  attributes.asset: item.?asset
`

func identifier(t testing.TB, text string) posture.Identifier {
	t.Helper()
	id, err := posture.ParseIdentifier(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// sampled looks the device C02 up in a recorded answer.
func sampled(t testing.TB, c httpjson.Config, status int, body string, facts posture.FactSet) (posture.Device, string, error) {
	t.Helper()
	step := ""
	p := c.Offline(httpjson.Sample{Status: status, Body: []byte(body), Decided: func(s string) { step = s }})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := p.Lookup(ctx, posture.Query{Identifier: identifier(t, "C02"), Facts: facts})
	return d, step, err
}

// number is the number of a step.
func number(step string) string {
	return strings.TrimPrefix(strings.SplitN(step, " (", 2)[0], "step ")
}

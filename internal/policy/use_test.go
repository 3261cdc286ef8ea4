package policy_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
)

// A rule that reads what some of the requests lack which it decides about would refuse all of them: that is a fault, at the rule.
func TestRulesOfUnknownParts(t *testing.T) {
	t.Parallel()
	nobody, webhook, radius, web := policy.Use{}, policy.Use{Webhook: true}, policy.Use{RADIUS: true}, policy.Use{ForwardAuth: true}
	cloud, both, doors := policy.Use{Smallstep: []string{"cloud"}}, policy.Use{Webhook: true, RADIUS: true}, policy.Use{RADIUS: true, ForwardAuth: true}
	const certificate = `request.certificate.provisioner == "acme-da"`
	const enriching, unsigned = "is unknown in ENRICHING, so that nothing would ever be issued; accepted: when: request.kind == \"authorizing\"", "is unknown of a certificate that is not signed yet"
	const name, csr, ssid = `request.certificate.common_name == "a"`, `request.csr.common_name == "a"`, `request.radius.ssid == "a"`
	for _, c := range []struct {
		use           policy.Use
		require, when string
		want          string
	}{
		{nobody, name, "true == device.managed", enriching},
		{nobody, csr, "device.managed", "is unknown in AUTHORIZING"},
		{nobody, ssid, "device.managed", `is unknown where step-ca asks, so that nothing would ever be issued; accepted: when: request.door == "radius"`},
		{webhook, name, "device.managed", enriching},
		{webhook, name, `request.kind == "authorizing"`, ""},
		{webhook, certificate, `request.kind == "authorizing"`, unsigned},
		{webhook, certificate, `request.door != "webhook"`, ""},
		{webhook, ssid, `request.door == "radius"`, ""},
		{webhook, ssid, `request.door == "webhook"`, "is unknown where step-ca asks"},
		{webhook, ssid, `request.kind == "authorizing"`, "is unknown where step-ca asks"},
		{both, name, "device.managed", enriching},
		{both, ssid, "device.managed", "is unknown where step-ca asks"},
		{both, csr, `request.kind == "enriching"`, `is unknown at the door radius, so that no device would ever be allowed; accepted: when: request.door == "webhook"`},
		{both, csr, `request.door == "webhook" && request.kind == "enriching"`, ""},
		{radius, name, "device.managed", ""},
		{radius, certificate, "device.managed", ""},
		{radius, ssid, "device.managed", ""},
		{radius, csr, "device.managed", "is unknown at the door radius"},
		{radius, "request.x5c.common_name == 'a'", "device.managed", "is unknown at the door radius"},
		{web, certificate, "device.managed", ""},
		{web, csr, "device.managed", "is unknown at the door forward_auth"},
		{web, ssid, "device.managed", `is unknown at the door forward_auth, so that no device would ever be allowed; accepted: when: request.door == "radius"`},
		{doors, ssid, "device.managed", "is unknown at the door forward_auth"},
		{doors, ssid, `request.door == "radius"`, ""},
		{cloud, certificate, "device.managed", ""},
		{cloud, csr, "device.managed", "is unknown at the door radius"},
		{cloud, ssid, `request.door == "radius"`, `is unknown in requests of the webhook cloud, so that no device would ever be allowed; accepted: when: request.caller != "cloud"`},
		{cloud, ssid, `request.caller != "cloud"`, ""},
	} {
		content := "policies:\n  default:\n    rules:\n      - {name: r, require: '" + strings.ReplaceAll(c.require, "'", "''") + "', when: '" + c.when + "'}\n"
		got := readUsed(t, content, c.use)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) || got != "" && !strings.HasPrefix(got, "p.yaml:4:28: policies.default.rules[0].require: request.") {
			t.Errorf("%s when %s, used by %+v:\n%s\nwant %s", c.require, c.when, c.use, got, c.want)
		}
	}
	for _, c := range []struct {
		use   policy.Use
		value string
		want  string
	}{
		{nobody, "request.certificate.common_name", "in ENRICHING or in AUTHORIZING"},
		{webhook, "request.csr.common_name", "in ENRICHING or in AUTHORIZING"},
		{webhook, "request.radius.nas", "where step-ca asks"},
		{radius, "request.certificate.serial + request.radius.nas", ""},
		{radius, "request.csr.common_name", "at the door radius"},
		{doors, "request.radius.nas", "at the door forward_auth"},
	} {
		got := readUsed(t, "policies:\n  default:\n    data: {a: {value: "+c.value+", required: true}}\n", c.use)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s, used by %+v:\n%s\nwant %s", c.value, c.use, got, c.want)
		}
	}
}

func readUsed(t *testing.T, content string, use policy.Use) string {
	t.Helper()
	d, root, err := document.Parse("p.yaml", []byte(content), section())
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Reader{Inventories: []string{"jamf"}, DefaultInventory: "jamf", Use: func(string) policy.Use { return use }}
	r.Read(root.Mapping().Get("policies"))
	if faults := d.Faults(); len(faults) > 0 {
		return faults.Error()
	}
	return ""
}

package replay_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/replay"
)

// doorPolicy is a policy as a file has it, with the expression of a VLAN.
func doorPolicy(t *testing.T, name, rule, vlan string) (*policy.Policy, *policy.Output) {
	t.Helper()
	content := "policies:\n  " + name + ":\n    inventories: [a]\n    rules: [{name: r0, require: '" + rule + "', code: ruleCode}]\n" +
		"    data: {vlan: 'device.attributes[\"VLAN\"]', fixed: '\"42\"'}\nvlan: " + vlan + "\n"
	shape := document.MapOf(document.Required("policies", policy.Shape(nil, false)), document.Required("vlan", policy.VLANShape("")))
	d, root, err := document.Parse("p.yaml", []byte(content), shape)
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Reader{Inventories: []string{"a"}, Use: func(string) policy.Use { return policy.Use{RADIUS: true} }}
	p := r.Read(root.Mapping().Get("policies"))[name]
	o := p.ReadVLAN(root.Mapping().Get("vlan"))
	if faults := d.Faults(); len(faults) > 0 {
		t.Fatal(faults)
	}
	return p, o
}

// What a door has asked is decided again with what was recorded of the certificate and of the connection, by the policy that the
// caller has now.
func TestDoors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule, vlan string
		caller     string // of the entry that the file has now
		code       string // of the line, where not what the policy said
		webhook    bool   // one of the same name exists
		want       string
	}{
		"the connection":             {rule: `request.radius.ssid == "staff" && request.radius.nas == "ap-1" && request.radius.calling_station == "02-00-00-00-00-01"`, vlan: "data.fixed", want: ""},
		"the door":                   {rule: `request.door == "radius" && request.caller == "radius.example.com"`, vlan: "data.fixed", webhook: true, want: ""},
		"the certificate":            {rule: `request.certificate.serial == "0a1b" && request.certificate.provisioner_type == "ACME" && request.certificate.not_after - request.certificate.not_before == duration("1h")`, vlan: "data.fixed", want: ""},
		"another connection":         {rule: `request.radius.ssid == "guests"`, vlan: "data.fixed", want: "allow, deny ruleCode r0"},
		"another provisioner":        {rule: `request.certificate.provisioner == "jwk"`, vlan: "data.fixed", want: "allow, deny ruleCode r0"},
		"an unknown VLAN":            {rule: "device.managed", vlan: "data.vlan", want: "allow, deny vlanUnknown"},
		"no VLAN":                    {rule: "device.managed", vlan: `'device.managed ? "" : "1"'`, want: "allow, deny vlanUnknown"},
		"a VLAN that is known now":   {rule: "device.managed", vlan: "data.fixed", code: "vlanUnknown", want: "deny vlanUnknown, allow"},
		"a VLAN, without its door":   {rule: "device.managed", vlan: "data.fixed", code: "vlanUnknown", caller: "other.example.com", want: "the device was refused for its VLAN, and the policy file does not have the door that said it"},
		"a caller that is not there": {rule: "!device.managed", vlan: "data.vlan", caller: "other.example.com", want: ""}, // the policy that was applied
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, _ := doorPolicy(t, "wifi", "device.managed", "data.fixed")
			id, err := posture.ParseIdentifier(identifier)
			if err != nil {
				t.Fatal(err)
			}
			record := has(nil)
			record.record.Identifier = identifier
			e := decide(before, nil, map[string]inventory{"a": record}, posture.Query{Identifier: id}, posture.Request{
				Door: posture.RADIUSDoor, Caller: "radius.example.com", Identifier: identifier,
				Certificate: &posture.CertificateNames{CommonName: identifier, SerialNumber: "0a1b", NotBefore: start(), NotAfter: start().Add(time.Hour), Provisioner: "acme-da", ProvisionerType: "ACME"},
				RADIUS:      &posture.RADIUSRequest{NAS: "ap-1", SSID: "staff", CallingStation: "02-00-00-00-00-01"},
			}, start())
			e.WebhookID = ""
			if c.code != "" {
				e.Allowed, e.Code = false, c.code
			}
			after, vlan := doorPolicy(t, "office", c.rule, c.vlan)
			file := &policyfile.File{Policies: map[string]*policy.Policy{"wifi": before, "office": after, "default": policyOf(t, "default", []string{"a"}, "!device.managed")}}
			if c.webhook {
				file.Webhooks = []policyfile.Webhook{{Name: "radius.example.com", Policy: "default"}}
			}
			door := policyfile.Door{Door: posture.RADIUSDoor, Callers: []string{"radius.example.com"}, Policy: "office", VLAN: vlan}
			if c.caller != "" {
				door.Callers = []string{c.caller}
			}
			other := policyfile.Door{Door: posture.ForwardAuthDoor, Callers: []string{"radius.example.com"}, Policy: "default"}
			file.Doors = &policyfile.Doors{Doors: []policyfile.Door{door, other}}
			got := said(run(t, replay.Options{File: file, Codes: outcome.Codes()}, logged(t, e)))
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

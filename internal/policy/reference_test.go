package policy_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// readReference reads a policy with one rule, data and the VLAN of a door.
func readReference(t *testing.T, rule, data, vlan string) (*policy.Policy, *policy.Output, string) {
	t.Helper()
	content := "policies:\n  staff:\n    inventories: [a]\n    rules: [{name: r0, require: '" + rule + "', code: ruleCode}]\n    data: {d: '" + data + "'}\nvlan: '" + vlan + "'\n"
	d, root, err := document.Parse("p.yaml", []byte(content), document.MapOf(document.Required("policies", policy.Shape(nil, false)), document.Required("vlan", policy.VLANShape(""))))
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Reader{Inventories: []string{"a"}, Use: func(string) policy.Use { return policy.Use{RADIUS: true} }}
	p := r.Read(root.Mapping().Get("policies"))["staff"]
	o := p.ReadVLAN(root.Mapping().Get("vlan"))
	var faults []string
	for _, f := range d.Faults() {
		faults = append(faults, f.Error())
	}
	return p, o, strings.Join(faults, "\n")
}

// Data may have the reference of the decision. A rule may not: it would be met by chance.
func TestReference(t *testing.T) {
	t.Parallel()
	p, vlan, faults := readReference(t, "device.managed", "reference", "data.d")
	if faults != "" {
		t.Fatal(faults)
	}
	e := &posture.Evidence{Reference: "7F3K9Q2M", Inventory: "a", Deciding: &posture.Device{Identifier: "C02", Facts: posture.Facts{Managed: posture.Known(true)}}}
	if decision := p.Authority(nil).Authorize(e); string(decision.Data()) != `{"d":"7F3K9Q2M"}` {
		t.Errorf("the data is %s", decision.Data())
	}
	if text, err := vlan.Text(e); text != "7F3K9Q2M" || err != nil {
		t.Errorf("a door that reads the data says %q, %v", text, err)
	}
	e.Reference = ""
	if decision := p.Authority(nil).Authorize(e); string(decision.Data()) != `{"d":""}` {
		t.Errorf("without a reference the data is %s", decision.Data())
	}
	const want = "only data may read reference: the reference of a decision is random"
	for name, c := range map[string][3]string{
		"a rule":   {`reference == "7F3K9Q2M"`, "device.name", "data.d"},
		"the VLAN": {"device.managed", "device.name", "reference"},
	} {
		if _, _, faults := readReference(t, c[0], c[1], c[2]); !strings.Contains(faults, want) {
			t.Errorf("%s that reads reference: %q, want %q", name, faults, want)
		}
	}
}

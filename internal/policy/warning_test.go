package policy_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// What is accepted and probably not meant is a warning: a rule that is always the same, and a fact that no inventory
// of the policy can give.
func TestWarnings(t *testing.T) {
	t.Parallel()
	const constant, gives = "the expression is always ", "no inventory of the policy gives "
	for expression, want := range map[string]string{
		"1 == 1":                       constant + "met, whatever the facts are",
		"now < now":                    "",
		"device.managed || true":       constant + "met, whatever the facts are",
		"!true && device.managed":      constant + "unmet, whatever the facts are",
		"1 / 0 == 1":                   constant + "unknown, whatever the facts are",
		"has(device.managed) || 2 > 1": constant + "met, whatever the facts are",
		"has(device.managed)":          "",
		"inventory == 'jamf'":          "",
		"request.key_bits > 5":         "",
		"device.managed":               "",
		"device.compliant":             gives + "device.compliant, so that it is always unknown",
		"device.compliant && device.compliant || device.managed": gives + "device.compliant, so that it is always unknown",
		"device.identifier != 'x'":                               "",
		"'x' in device.groups":                                   "",
		"device.attributes['x'] == 'y'":                          gives + `device.attributes["x"], so that it is always unknown`,
		"has(records.owned.device.groups)":                       "the inventory owned does not give device.groups, so that it is always unknown",
		"records.owned.found":                                    "",
		"records.jamf.device.managed":                            "",
		"records.owned.device.name == 'x'":                       "",
		"device.name == 'x'":                                     gives + "device.name, so that it is always unknown",
	} {
		content := "policies:\n  default:\n    also_in: [owned]\n    rules:\n      - {name: r, require: \"" + expression + "\"}\n      - {name: s, require: device.managed, when: \"" + expression + "\"}\n"
		d, root, err := document.Parse("p.yaml", []byte(content), section())
		if err != nil {
			t.Fatal(err)
		}
		r := policy.Reader{Inventories: []string{"jamf", "owned"}, DefaultInventory: "jamf", Gives: func(name string) posture.FactSet {
			if name == "owned" {
				return posture.MustFacts("device.name")
			}
			return posture.MustFacts("device.managed", "device.groups")
		}}
		r.Read(root.Mapping().Get("policies"))
		lines := ""
		if want != "" {
			lines = "p.yaml:5:28: policies.default.rules[0].require: " + want + "\np.yaml:6:50: policies.default.rules[1].when: " + want
		}
		if got := d.Warnings().Error(); got != lines || len(d.Faults()) > 0 {
			t.Errorf("%s\n got  %s\n want %s\n faults %v", expression, got, lines, d.Faults())
		}
	}
}

// Data of a fact that no inventory gives is warned of too; without Gives nothing is.
func TestWarningOfData(t *testing.T) {
	t.Parallel()
	const content = "policies:\n  default:\n    data: {email: user.email_address}\n"
	for _, c := range []struct {
		gives func(string) posture.FactSet
		want  string
	}{
		{nil, ""},
		{func(string) posture.FactSet { return posture.AllFacts() }, ""},
		{func(string) posture.FactSet { return 0 }, "p.yaml:3:19: policies.default.data.email: no inventory of the policy gives user.email_address"},
	} {
		d, root, err := document.Parse("p.yaml", []byte(content), section())
		if err != nil {
			t.Fatal(err)
		}
		r := policy.Reader{Inventories: []string{"jamf"}, DefaultInventory: "jamf", Gives: c.gives}
		r.Read(root.Mapping().Get("policies"))
		if got := d.Warnings().Error(); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

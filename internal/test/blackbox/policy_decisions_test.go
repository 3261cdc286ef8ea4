//go:build linux

package blackbox_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

// hostile is a group whose name would make a second entry of the log.
const hostile = "x\nlevel=error msg=forged"

// TestDecisionsByPolicy: what a rule, a report, a date, the data and the mode of a policy do to the answer.
func TestDecisionsByPolicy(t *testing.T) {
	t.Parallel()
	const staffMac, guestMac, leftMac, phone = "C0000ST1", "C0000GU1", "C0000LE1", "DM000PH1"
	mobile := jamftest.Device{Serial: phone, Managed: new(true)}
	s := newTwoServers(t, []jamftest.Device{program.Mac(staffMac, "Staff", "Finance"), program.Mac(guestMac, "Guests", hostile), unmanaged(leftMac), mobile}, nil)
	rule := `{name: staff, require: '"Staff" in device.groups', code: notStaff, message: 'Ask "IT", please.'`
	policy := func(name, rest string) string {
		return "  " + name + ": {inventories: [eu], mode: computer, " + rest + "}\n"
	}
	names := []string{"enforced", "reported", "quiet", "later", "since", "grouped", "unmanaged", "plain", "mobile", "first"}
	s.Write(t, strings.Replace(s.servers(), "  owned:", `  gated: {provider: jamf, base_url: "`+s.eu.BaseURL()+`", client_id: "`+s.eu.Client().ID+`", client_secret: {file: eu.secret}, computer_group: Staff}
  owned:`, 1)+"policies:\n"+
		policy("enforced", "rules: ["+rule+"}], data: {vlan: '\"Finance\" in device.groups ? \"30\" : \"10\"', who: request.caller, mode: request.mode, by: user.email_address}")+
		policy("reported", "rules: ["+rule+", enforce: false}], data: {}")+
		policy("quiet", "report_only: true, rules: ["+rule+"}], data: {}")+
		policy("later", "rules: ["+rule+", enforce: 2099-01-01}], data: {}")+
		policy("since", "rules: ["+rule+", enforce: 2001-01-01}], data: {}")+
		"  grouped: {inventories: [gated], mode: computer, rules: ["+rule+"}]}\n"+
		policy("unmanaged", "allow_unmanaged: true, data: {}")+
		policy("plain", "rules: [{name: known, require: 'true'}]")+
		"  mobile: {inventories: [eu], data: {mode: request.mode}}\n"+
		policy("first", "rules: [{name: one, require: device.managed}, "+rule+"}, {name: three, require: 'device.identifier == \"x\"'}]")+
		s.hooks(t, names...))
	d := program.StartDaemon(t, s.env)
	by := map[string]*program.StepCA{}
	for i, name := range names {
		by[name] = s.caller(t, d, i+1)
	}
	const message = `"message":"Ask \"IT\", please. (ref `
	by["enforced"].WantAllow(t, staffMac, `{"by":"","mode":"computer","vlan":"30","who":"enforced"}`)
	by["enforced"].WantDecision(t, "a rule that is unmet", guestMac, program.Refused("notStaff")+message)
	by["since"].WantDecision(t, "enforced since a day that has passed", guestMac, program.Refused("notStaff")+message)
	by["first"].WantDecision(t, "the first that is unmet decides", guestMac, program.Refused("notStaff")+message)
	for _, name := range []string{"reported", "quiet", "later"} {
		by[name].WantAllow(t, guestMac, `{}`)
	}
	by["grouped"].WantDecision(t, "the group of the section is judged first", guestMac, program.Refused("deviceNotInGroup"))
	by["enforced"].WantDecision(t, "managed is required besides, and first", leftMac, program.Refused("deviceNotManaged"))
	by["unmanaged"].WantAllow(t, leftMac, `{}`)
	by["plain"].WantAllow(t, guestMac, `{}`) // the section has no enrichment
	by["mobile"].WantAllow(t, phone, `{"mode":"mobiledevice"}`)
	by["mobile"].WantDecision(t, "the mode of the inventory", staffMac, program.NotFound)
	by["unmanaged"].WantDecision(t, "the mode of the policy", phone, program.NotFound)
	if _, text, err := by["mobile"].SendMode(t, staffMac, "computer"); text != `{"allow":true,"data":{"mode":"computer"}}` {
		t.Errorf("with a mode in the URL: %s, %v", text, err)
	}
	// The URL chooses no policy.
	for _, query := range []string{"computer&policy=quiet", "computer&webhook=quiet", "computer&caller=quiet", "computer&policy="} {
		if _, text, err := by["enforced"].SendMode(t, guestMac, query); !strings.HasPrefix(text, program.Refused("notStaff")) {
			t.Errorf("?mode=%s: %s, %v", query, text, err)
		}
	}
	d.WantLog(t, `rule staff is unmet: `, `\"Staff\" is not among them; rule three is unmet: device.identifier is \"C0000GU1\"`)
	if strings.Contains(d.Output(), "\nlevel=error msg=forged") {
		t.Errorf("a group has made a line of the log:\n%s", d.Output())
	}
	for series, want := range map[string]string{
		`step_posture_rule_evaluations_total{policy="reported",result="unmet",rule="staff"}`:                                      "1",
		`step_posture_rule_evaluations_total{policy="enforced",result="met",rule="staff"}`:                                        "1",
		`step_posture_rule_evaluations_total{policy="first",result="met",rule="one"}`:                                             "1",
		`step_posture_rule_evaluations_total{policy="first",result="unmet",rule="three"}`:                                         "1",
		`step_posture_decisions_total{caller="since",code="notStaff",outcome="deny",policy="since",provider="eu"}`:                "1",
		`step_posture_decisions_total{caller="quiet",code="none",outcome="allow",policy="quiet",provider="eu"}`:                   "1",
		`step_posture_decisions_total{caller="grouped",code="deviceNotInGroup",outcome="deny",policy="grouped",provider="gated"}`: "1",
	} {
		if got := d.Metric(t, series); got != want {
			t.Errorf("%s is %s, want %s", series, got, want)
		}
	}
}

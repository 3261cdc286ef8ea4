package posture_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

func TestZeroValuesDeny(t *testing.T) {
	t.Parallel()
	if (posture.Decision{}).Allowed() {
		t.Error("the zero Decision allows")
	}
	if d := (posture.Policy{}).Authorize(about(posture.Device{})); d.Allowed() || d.Code() != posture.DeviceNotManaged {
		t.Errorf("the zero Device: got %v, %q, want a refusal with deviceNotManaged", d.Allowed(), d.Code())
	}
	var zero posture.Identifier
	if zero.Matches(posture.Device{}) || zero.Matches(posture.Device{Identifier: " "}) {
		t.Error("the zero Identifier matches a device without one")
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	id, err := posture.ParseIdentifier("C02k")
	if err != nil {
		t.Fatal(err)
	}
	for record, want := range map[string]bool{
		"C02k": true, "c02K": true, " C02K ": true,
		"": false, "C02": false, "C02kk": false, "C02\u212a": false, "C02 k": false,
	} {
		if got := id.Matches(posture.Device{Identifier: record}); got != want {
			t.Errorf("Matches(%q) = %v, want %v", record, got, want)
		}
	}
}

type stub struct {
	device posture.Device
	err    error
}

func gateOf(p posture.Provider) *posture.Gate {
	return &posture.Gate{Join: posture.Join{Inventories: []posture.Source{{Provider: p}}}}
}

// about is the evidence of one record.
func about(d posture.Device) *posture.Evidence { return &posture.Evidence{Deciding: &d} }

// requiring is the policy of an inventory that requires a group of computers.
func requiring(group string) posture.Policy {
	return posture.Policy{Requirements: map[string]posture.Requirements{"": {Groups: posture.RequiredGroups(group, "")}}}
}

func (s stub) Lookup(context.Context, posture.Query) (posture.Device, error) { return s.device, s.err }

// An inventory that could not answer is an error, never a decision.
func TestFaultIsNoDecision(t *testing.T) {
	t.Parallel()
	id, err := posture.ParseIdentifier("C02")
	if err != nil {
		t.Fatal(err)
	}
	fault := errors.New("no route to inventory")
	for name, provider := range map[string]stub{
		"fault":                     {posture.Device{Identifier: "C02", Facts: posture.Facts{Managed: posture.Known(true)}}, fault},
		"record of another":         {posture.Device{Identifier: "C03", Facts: posture.Facts{Managed: posture.Known(true)}}, nil},
		"record without identifier": {posture.Device{Facts: posture.Facts{Managed: posture.Known(true)}}, nil},
	} {
		decision, err := gateOf(provider).Decide(t.Context(), posture.Query{Identifier: id}, &posture.Evidence{})
		if err == nil || decision.Allowed() {
			t.Errorf("%s: got %v, %v, want an error", name, decision, err)
		}
		if errors.Is(provider.err, fault) && !errors.Is(err, fault) {
			t.Errorf("%s: got %v, want it to wrap %v", name, err, fault)
		}
	}
}

// Group names are compared byte for byte. Where only that keeps a device out, the reason says so, and
// shows both names so that the difference is visible.
func TestReasonHintsAtNearMisses(t *testing.T) {
	t.Parallel()
	const composed, decomposed = "Caf\u00e9", "Cafe\u0301"
	for name, row := range map[string]struct {
		required, group string
		want            string // in the reason; empty: no hint
	}{
		"case":           {"disk encrypted", "Disk encrypted", `the device is in the group "Disk encrypted", which differs from "disk encrypted" only in case`},
		"space at end":   {"Disk encrypted", "Disk encrypted ", `"Disk encrypted ", which differs from "Disk encrypted" only in spaces`},
		"two spaces":     {"Disk encrypted", "Disk  encrypted", `"Disk  encrypted", which differs from "Disk encrypted" only in spaces`},
		"no-break space": {"Disk encrypted", "Disk\u00a0encrypted", `"Disk\u00a0encrypted", which differs from "Disk encrypted" only in spaces`},
		"composed":       {composed, decomposed, `"Cafe\u0301", which differs from "Caf\u00e9" only in how letters are composed`},
		"several":        {"café macs", "Cafe\u0301  Macs", `"Cafe\u0301  Macs", which differs from "caf\u00e9 macs" only in case, spaces or how letters are composed`},
		"another group":  {"Disk encrypted", "Disk", ""},
		"no group":       {"Disk encrypted", "", ""},
		"prefix":         {"Disk encrypted", "Disk encrypted 2", ""},
	} {
		policy := requiring(row.required)
		d := policy.Authorize(about(posture.Device{Type: posture.Computer, Facts: posture.Facts{Managed: posture.Known(true), Groups: posture.Known([]string{"Others", row.group})}}))
		if d.Allowed() || d.Code() != posture.DeviceNotInGroup {
			t.Errorf("%s: got %v, %q, want a refusal with deviceNotInGroup", name, d.Allowed(), d.Code())
		}
		if hint := strings.Contains(d.Reason(), "byte for byte"); hint != (row.want != "") || !strings.Contains(d.Reason(), row.want) {
			t.Errorf("%s: the reason is %q, want it to say %q", name, d.Reason(), row.want)
		}
	}
}

func TestReasonNamesTheGroup(t *testing.T) {
	t.Parallel()
	policy := requiring("Compliant")
	d := policy.Authorize(about(posture.Device{Type: posture.Computer, Facts: posture.Facts{Managed: posture.Known(true)}}))
	if d.Allowed() || d.Code() != posture.DeviceNotInGroup || !strings.Contains(d.Reason(), `"Compliant"`) {
		t.Errorf("got %v, %q, %q, want a refusal that names the group to the administrator", d.Allowed(), d.Code(), d.Reason())
	}
	policy.ReportOnly = true
	if d := policy.Authorize(about(posture.Device{Type: posture.Computer, Facts: posture.Facts{Managed: posture.Known(true)}})); !d.Allowed() || !strings.Contains(d.Reason(), `not a member of the required group "Compliant"`) {
		t.Errorf("report only: got %v, %q, want an allow that names the group to the administrator", d.Allowed(), d.Reason())
	}
	if d := policy.Authorize(about(posture.Device{Type: posture.MobileDevice, Facts: posture.Facts{Managed: posture.Known(true)}})); !d.Allowed() {
		t.Errorf("a device of a type without a required group: got %q, want an allow", d.Code())
	}
}

// rules are those of a policy file whose outcomes a test chooses.
type rules []posture.Outcome

func (r rules) Evaluate(*posture.Evidence) posture.Verdict { return posture.Verdict{Outcomes: r} }

func (r rules) Render(*posture.Evidence) (json.RawMessage, []string, error) { return nil, nil, nil }

// The reason names each rule that is not met, whatever refuses the device: an administrator who fixes one thing sees what
// else is missing.
func TestReasonNamesEachRule(t *testing.T) {
	t.Parallel()
	unmet := rules{
		{Rule: "os", Applies: true, Result: posture.Unmet, Reason: "rule os is unmet"},
		{Rule: "met", Applies: true, Enforced: true, Result: posture.Met, Reason: "no"},
		{Rule: "other", Result: posture.Unknown, Reason: "no"},
		{Rule: "seen", Applies: true, Enforced: true, Code: "notSeen", Result: posture.Unknown, Reason: "rule seen is unknown"},
	}
	for name, row := range map[string]struct {
		device posture.Device
		rules  rules
		code   posture.Code
		want   string
	}{
		"a rule":     {posture.Device{Facts: posture.Facts{Managed: posture.Known(true)}}, unmet, "notSeen", "rule os is unmet; rule seen is unknown"},
		"unmanaged":  {posture.Device{}, unmet, posture.DeviceNotManaged, "the inventory does not manage it; rule os is unmet; rule seen is unknown"},
		"no refusal": {posture.Device{Facts: posture.Facts{Managed: posture.Known(true)}}, unmet[:3], "", "in the inventory; rule os is unmet"},
	} {
		d := posture.Policy{Rules: row.rules}.Authorize(about(row.device))
		if got := strings.Replace(d.Reason(), "has the device but does", "does", 1); got != row.want || d.Code() != row.code {
			t.Errorf("%s: got %q, %q, want %q, %q", name, d.Code(), got, row.code, row.want)
		}
	}
}

// TestCompliance: an inventory that has to vouch for a device, and does not say that it is compliant, lets nothing pass.
func TestCompliance(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		compliant  posture.Fact[bool]
		reportOnly bool
		want       posture.Code
		reason     string
	}{
		"compliant":               {compliant: posture.Known(true)},
		"not compliant":           {compliant: posture.Known(false), want: posture.DeviceNotCompliant, reason: "the inventory mdm says that the device is not compliant"},
		"unknown":                 {want: posture.DeviceNotCompliant, reason: "the inventory mdm does not say whether the device is compliant, and that is required"},
		"only reported":           {compliant: posture.Known(false), reportOnly: true, reason: "in the inventory mdm; the inventory mdm says that the device is not compliant"},
		"unknown is reported too": {reportOnly: true, reason: "in the inventory mdm; the inventory mdm does not say whether the device is compliant, and that is required"},
	} {
		for _, also := range []bool{false, true} {
			device := &posture.Device{Identifier: "C02XK1ABJHD2", Facts: posture.Facts{Managed: posture.Known(true), Compliant: row.compliant}}
			e := &posture.Evidence{Inventory: "mdm", Deciding: device}
			p := posture.Policy{Name: "p", Requirements: map[string]posture.Requirements{"mdm": {Compliant: true}}, ReportOnly: row.reportOnly}
			want := row.reason
			if also {
				e.Inventory, e.Deciding = "owned", &posture.Device{Identifier: device.Identifier, Facts: posture.Facts{Managed: posture.Known(true)}}
				e.Answers, p.AlsoIn = []posture.Answer{{Inventory: "mdm", Record: device}}, []string{"mdm"}
				want = strings.Replace(want, "in the inventory mdm", "in the inventory owned", 1)
			}
			d := p.Authorize(e)
			if d.Allowed() != (row.want == "") || d.Code() != row.want || want != "" && d.Reason() != want {
				t.Errorf("%s, beside another inventory %v: allowed %v, code %q, reason %q, want code %q, reason %q", name, also, d.Allowed(), d.Code(), d.Reason(), row.want, want)
			}
			if row.reportOnly && !slices.Contains(d.Verdict().WouldDeny, string(posture.DeviceNotCompliant)) {
				t.Errorf("%s: would deny %q, want deviceNotCompliant among them", name, d.Verdict().WouldDeny)
			}
		}
	}
}

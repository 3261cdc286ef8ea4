package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

func condition(t *testing.T, s *policy.Scope, text string) *policy.Condition {
	t.Helper()
	c, faults := s.CompileCondition(text)
	if faults != nil {
		t.Fatalf("%s: %v", text, faults)
	}
	return c
}

// The reason names the rule and what each fact was.
func TestReason(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	for text, want := range map[string]string{
		`device.os_version.atLeast("16")`:                                          `rule r is unmet: device.os_version is 15.4.1`,
		`device.compliant`:                                                         `rule r is unknown: device.compliant is unknown`,
		`device.compliant && device.managed`:                                       `rule r is unknown: device.compliant is unknown, device.managed is true`,
		`"VIP" in device.groups && device.encrypted`:                               `rule r is unmet: device.groups has 1 entry, "VIP" is not among them, device.encrypted is false`,
		`device.groups.exists(g, g == "x")`:                                        `rule r is unmet: device.groups has 1 entry`,
		`"a" in records.owned.device.groups || "b" in records.owned.device.groups`: `rule r is unknown: records.owned.device.groups is unknown`,
		`user.department == "Sales"`:                                               `rule r is unmet: user.department is "Finance"`,
		`device.attributes["Asset tag"] == "18"`:                                   `rule r is unmet: device.attributes["Asset tag"] is "17"`,
		`device.attributes["x"] == "18"`:                                           `rule r is unknown: device.attributes["x"] is unknown`,
		`device.last_seen > now - days(1)`:                                         `rule r is unmet: device.last_seen is 2026-01-08T12:00:00Z, now is 2026-01-10T12:00:00Z`,
		`records.empty.found`:                                                      `rule r is unmet: records.empty.found is false`,
		`records.down.found && records.owned.device.encrypted`:                     `rule r is unknown: records.down.found is unknown, records.owned.device.encrypted is unknown`,
		`request.key_bits > 1024`:                                                  `rule r is unmet: request.key_bits is 256`,
		`request.key_bits / 0 > 1`:                                                 `rule r is unknown: request.key_bits is 256: evaluate: division by zero`,
	} {
		r := policy.Rule{Name: "r", Require: condition(t, s, text)}
		if got := r.Evaluate(question()); got.Reason != want || !got.Refuses() {
			t.Errorf("%s:\n got  %s\n want %s", text, got.Reason, want)
		}
	}
}

// A rule refuses where it applies and is enforced; where it is unknown whether it applies, it does.
func TestEnforcement(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	now := question().Now
	unmet, met := condition(t, s, `device.encrypted`), condition(t, s, `device.managed`)
	for _, c := range []struct {
		name    string
		rule    policy.Rule
		refuses bool
	}{
		{"unmet", policy.Rule{Require: unmet}, true},
		{"met", policy.Rule{Require: met}, false},
		{"unknown", policy.Rule{Require: condition(t, s, `device.compliant`)}, true},
		{"report only", policy.Rule{Require: unmet, ReportOnly: true}, false},
		{"from now on", policy.Rule{Require: unmet, EnforcedFrom: now}, true},
		{"from later on", policy.Rule{Require: unmet, EnforcedFrom: now.Add(time.Second)}, false},
		{"does not apply", policy.Rule{Require: unmet, When: unmet}, false},
		{"applies", policy.Rule{Require: unmet, When: met}, true},
		{"may apply", policy.Rule{Require: unmet, When: condition(t, s, `device.compliant`)}, true},
	} {
		if got := c.rule.Evaluate(question()); got.Refuses() != c.refuses {
			t.Errorf("%s: refuses %v", c.name, got.Refuses())
		}
	}
}

// Data is JSON; what cannot be evaluated is "" and named, or refuses.
func TestData(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	value := func(text string) *policy.Value {
		v, faults := s.CompileValue(text)
		if faults != nil {
			t.Fatalf("%s: %v", text, faults)
		}
		return v
	}
	data := []policy.Datum{
		{Name: "vlan", Value: value(`"Finance" in device.groups ? "30" : "10"`)},
		{Name: "email", Value: value(`user.email_address`)},
		{Name: "os", Value: value(`device.os_version`)},
		{Name: "seen", Value: value(`device.last_seen`)},
		{Name: "all", Value: value(`{"a": [1, "b", true], "groups": device.groups, "v": [device.os_version]}`)},
	}
	document, unknown, err := (&policy.Policy{Data: data}).Render(question())
	if want := `{"all":{"a":[1,"b",true],"groups":["Finance"],"v":["15.4.1"]},"email":"","os":"15.4.1","seen":"2026-01-08T12:00:00Z","vlan":"30"}`; err != nil || string(document) != want {
		t.Errorf("%s, %v\nwant %s", document, err, want)
	}
	if len(unknown) != 1 || unknown[0] != "email" {
		t.Errorf("unknown %q", unknown)
	}
	data[1].Required = true
	if _, _, err := (&policy.Policy{Data: data}).Render(question()); err == nil || !strings.Contains(err.Error(), "email is required: user.email_address is unknown") {
		t.Errorf("a required value that is unknown: %v", err)
	}
	q := question()
	q.Deciding.Facts.Groups = posture.Known([]string{strings.Repeat("x", policy.MaxData)})
	if _, _, err := (&policy.Policy{Data: data[4:]}).Render(q); err == nil {
		t.Error("more than MaxData was made")
	}
	for text, want := range map[string]string{
		`days(3)`: "the result is", `b"x"`: "the result is", `device`: "no value by itself", `{1: 2}`: "1:2: the key of a map is a number; accepted: text",
		`[days(1)]`: "the result is", `records.owned`: "no value by itself",
	} {
		if _, faults := s.CompileValue(text); faults == nil || !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %v", text, faults)
		}
	}
	if !json.Valid(document) {
		t.Error("no JSON")
	}
}

package policy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// Each rule is explained with what it has read, also where it is met or does not apply.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	now := question().Now
	p := &policy.Policy{Name: "p", Rules: []*policy.Rule{
		{Name: "os", Require: condition(t, s, `device.os_version.atLeast("15.4") && device.os == "macOS"`)},
		{Name: "seen", Require: condition(t, s, `device.last_seen > now - days(1)`), ReportOnly: true},
		{Name: "later", Require: condition(t, s, `device.compliant`), EnforcedFrom: now.Add(time.Hour)},
		{Name: "elsewhere", Require: condition(t, s, `device.managed && request.key_bits > 1`), When: condition(t, s, `inventory == "owned" && device.managed`)},
		{Name: "perhaps", Require: condition(t, s, `"VIP" in device.groups`), When: condition(t, s, `device.compliant`)},
		{Name: "asset", Require: condition(t, s, `device.attributes["Asset tag"] == "17" && records.owned.found`)},
	}}
	var lines []string
	for _, e := range p.Explain(question()) {
		line := fmt.Sprintf("%s %v applies=%v enforced=%v:", e.Rule, e.Result, e.Applies, e.Enforced)
		for _, f := range e.Reads {
			value, err := json.Marshal(f.Value)
			if err != nil || f.Known == (f.Value == nil) || !strings.HasPrefix(f.Text, f.Path) {
				t.Errorf("%+v: %v", f, err)
			}
			line += " [" + f.Text + "] " + string(value)
		}
		lines = append(lines, line)
	}
	const want = `os met applies=true enforced=true: [device.os_version is 15.4.1] "15.4.1" [device.os is "macOS"] "macOS"
seen unmet applies=true enforced=false: [device.last_seen is 2026-01-08T12:00:00Z] "2026-01-08T12:00:00Z" [now is 2026-01-10T12:00:00Z] "2026-01-10T12:00:00Z"
later unknown applies=true enforced=false: [device.compliant is unknown] null
elsewhere unknown applies=false enforced=true: [device.managed is true] true [request.key_bits is 256] 256 [inventory is "jamf_eu"] "jamf_eu"
perhaps unmet applies=true enforced=true: [device.groups has 1 entry, "VIP" is not among them] ["Finance"] [device.compliant is unknown] null
asset met applies=true enforced=true: [device.attributes["Asset tag"] is "17"] "17" [records.owned.found is true] true`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p.ReportOnly = true
	for _, e := range p.Explain(question()) {
		if e.Enforced {
			t.Errorf("%s is enforced in a policy that only reports", e.Rule)
		}
	}
}

// Texts that others chose stay in one line, quoted and short, and groups are counted.
func TestReasonsOfHostileFacts(t *testing.T) {
	t.Parallel()
	s, e := scope(t, "jamf_eu"), question()
	hostile := "x\n\x1b[31m\u202e\"rule os is met\"" + strings.Repeat("ä", 4000)
	groups := make([]string, 10_000)
	for i := range groups {
		groups[i] = hostile
	}
	e.Deciding.Facts.Name, e.Deciding.Facts.Groups = posture.Known(hostile), posture.Known(groups)
	e.Deciding.Facts.Attributes = posture.Known(map[string]string{"a\n\u202eb": hostile, "other": "not read"})
	const shown = `"x\n\x1b[31m\u202e\"rule os is met\"` // the beginning
	for text, want := range map[string]string{
		`device.name == "y"`:                            `rule r is unmet: device.name is ` + shown,
		`device.attributes["a\n\u202eb"] == "y"`:        `rule r is unmet: device.attributes["a\n\u202eb"] is ` + shown,
		`"y\n" in device.groups`:                        `rule r is unmet: device.groups has 10000 entries, "y\n" is not among them`,
		`"" in device.groups`:                           `rule r is unmet: device.groups has 10000 entries, "" is not among them`,
		`!device.groups.exists(g, g.startsWith("x"))`:   `rule r is unmet: device.groups has 10000 entries`,
		`{"a": true}[device.name]`:                      `rule r is unknown: device.name is ` + shown,
		`timestamp(device.name) < now`:                  `rule r is unknown: device.name is ` + shown,
		`int(device.name) > 1 && 1 in [int("9" + "x")]`: `rule r is unknown: device.name is ` + shown,
	} {
		r := policy.Rule{Name: "r", Require: condition(t, s, text)}
		got := r.Evaluate(e).Reason
		if !strings.HasPrefix(got, want) || strings.ContainsAny(got, "\n\x1b\u202e") || len([]rune(got)) > 400 || strings.Contains(got, "not read") {
			t.Errorf("%s:\n got  %q\n want %s", text, got, want)
		}
	}
}

// Where it is not known whether a rule applies, the reason says why it counts.
func TestReasonOfWhen(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned")
	for when, want := range map[string]string{
		`device.managed`:            `rule r is unmet: device.encrypted is false`,
		`device.compliant`:          `rule r is unmet: device.encrypted is false; whether it applies is unknown: device.compliant is unknown`,
		`request.key_bits / 0 == 1`: `rule r is unmet: device.encrypted is false; whether it applies is unknown: request.key_bits is 256: evaluate: division by zero`,
		`!device.managed`:           ``,
	} {
		r := policy.Rule{Name: "r", Require: condition(t, s, `device.encrypted`), When: condition(t, s, when)}
		if got := r.Evaluate(question()).Reason; got != want {
			t.Errorf("%s:\n got  %s\n want %s", when, got, want)
		}
	}
}

// What JSON cannot have is not evaluated; the rest of the data is sent.
func TestDataThatJSONCannotHave(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	var data []policy.Datum
	for name, text := range map[string]string{
		"nan": `double("NaN")`, "inf": `[1.0 / 0.0, "a"]`, "big": `9223372036854775807`, "null": `null`, "text": `"<\u2028>" + device.os`,
		"empty": `{}`, "list": `[]`, "none": `device.compliant`, "deep": `[[[[[["x"]]]]]]`, "map": `{"v": device.os_version, "t": device.last_seen, "n": null}`,
	} {
		v, faults := s.CompileValue(text)
		if faults != nil {
			t.Fatalf("%s: %v", text, faults)
		}
		data = append(data, policy.Datum{Name: name, Value: v})
	}
	document, unknown, err := (&policy.Policy{Data: data}).Render(question())
	const want = `{"big":9223372036854775807,"deep":[[[[[["x"]]]]]],"empty":{},"inf":"","list":[],"map":{"n":null,"t":"2026-01-08T12:00:00Z","v":"15.4.1"},"nan":"","none":"","null":null,"text":"\u003c\u2028\u003emacOS"}`
	if err != nil || string(document) != want || len(unknown) != 3 {
		t.Errorf("%s, unknown %q, %v\nwant %s", document, unknown, err, want)
	}
	for _, d := range data {
		d.Required = true
		_, _, err := (&policy.Policy{Data: []policy.Datum{d}}).Render(question())
		if refused := d.Name == "nan" || d.Name == "inf" || d.Name == "none"; refused != (err != nil) {
			t.Errorf("%s is required: %v", d.Name, err)
		}
	}
	if document, unknown, err := (&policy.Policy{Data: []policy.Datum{}}).Render(question()); string(document) != "{}" || unknown != nil || err != nil {
		t.Errorf("no data: %s, %q, %v", document, unknown, err)
	}
}

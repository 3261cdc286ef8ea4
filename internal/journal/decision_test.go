package journal_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// event is a refusal by a rule, with facts.
func event() *audit.Event {
	device := posture.Device{Identifier: "C02ADA", Type: posture.Computer}
	device.Facts.OSVersion = posture.Known(posture.Version{})
	return &audit.Event{
		Time: time.Date(2026, 11, 27, 10, 0, 0, 1000, time.UTC), Reference: "7F3K9Q2M", Authenticated: true, Code: "deviceNotCompliant",
		Reason: "the rule encrypted is unmet", Identifier: "C02ADA", Mode: "computer", Provider: "jamf", Policy: "staff", Inventory: "jamf",
		Door: "webhook", Caller: "acme", WebhookID: "3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01", RequestID: "r1", Groups: []string{"Staff"}, Duration: 1500 * time.Microsecond,
		Verdict: posture.Verdict{
			Outcomes: []posture.Outcome{
				{Rule: "encrypted", Result: posture.Unmet, Applies: true, Enforced: true, Code: "deviceNotCompliant", Message: "Turn on FileVault", Reason: "device.encrypted is false"},
				{Rule: "recent", Result: posture.Unknown, Applies: true, Reason: "device.os_version is unknown"},
				{Rule: "mobile"},
			},
			Unmet: []string{"encrypted"}, WouldDeny: []string{"recent"},
		},
		Evidence: &posture.Evidence{
			Now: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC), Given: posture.Computer,
			Request: posture.Request{Door: "webhook", Mode: "computer", Names: []string{"C02ADA", "b"}, CSR: &posture.CertificateNames{CommonName: "C02ADA"}},
			Answers: []posture.Answer{
				{Inventory: "jamf", Type: posture.Computer, Record: &device, Asked: posture.MustFacts("device.groups", "device.attributes", "user.email_address")},
				{Inventory: "fleet", Err: posture.ErrNotFound},
			},
		},
	}
}

func parsed(t *testing.T, e *audit.Event) journal.Decision {
	t.Helper()
	entry, err := journal.NewEncoder().Entry(e)
	if err != nil {
		t.Fatal(err)
	}
	d, err := journal.Parse(journal.Found{ID: entry.ID, Line: entry.Line, Rules: entry.Rules})
	if err != nil || d.ID != entry.ID {
		t.Fatalf("%v of %s %s", err, entry.Line, entry.Rules)
	}
	return d
}

func TestParse(t *testing.T) {
	t.Parallel()
	e := event()
	record := e.Evidence.Answers[0].Record
	record.Facts.Groups = posture.Known([]string{"A, b", "c"})
	record.Facts.Attributes = posture.Known(map[string]string{"Asset \"tag\"": "x\n1"})
	d := parsed(t, e)
	rules := d.Rules
	facts := d.Facts
	d.Rules, d.Facts, d.ID = nil, nil, journal.ID{}
	want := journal.Decision{
		Time: e.Time, Reference: "7F3K9Q2M", Decision: "deny", Code: "deviceNotCompliant", Reason: e.Reason, Identifier: "C02ADA", Mode: "computer", Provider: "jamf",
		Policy: "staff", Inventory: "jamf", Caller: "acme", Door: "webhook", WebhookID: e.WebhookID, RequestID: "r1", Groups: []string{"Staff"},
		Unmet: []string{"encrypted"}, WouldDeny: []string{"recent"}, DurationMS: 1.5,
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got  %+v\nwant %+v", d, want)
	}
	if want := []journal.Rule{
		{Name: "encrypted", Result: "unmet", Enforced: true, Reason: "device.encrypted is false", Code: "deviceNotCompliant", Message: "Turn on FileVault"},
		{Name: "recent", Result: "unknown", Reason: "device.os_version is unknown"},
		{Name: "mobile"},
	}; !reflect.DeepEqual(rules, want) {
		t.Errorf("got rules %+v", rules)
	}
	if facts == nil || !facts.Now.Equal(e.Evidence.Now) || !facts.ModeGiven || len(facts.Records) != 2 {
		t.Fatalf("got facts %+v", facts)
	}
	var texts []string
	for _, f := range append(append(facts.Request, facts.Records[0].Device...), facts.Records[0].User...) {
		texts = append(texts, f.Name+": "+f.Text())
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{
		"request.door: webhook", "request.names: C02ADA, b", "request.csr.common_name: C02ADA", "request.caller: unknown",
		"device.identifier: C02ADA", "device.groups: A, b, c", "device.attributes[\"Asset \\\"tag\\\"\"]: x\n1", "user.email_address: unknown",
	} {
		if !strings.Contains(all+"\n", want+"\n") {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
	if second := facts.Records[1]; second.Inventory != "fleet" || second.Answer != "not_found" || second.Found() || second.Device != nil {
		t.Errorf("got %+v", second)
	}
}

func TestParseWithoutFacts(t *testing.T) {
	t.Parallel()
	e := event()
	e.Evidence, e.Verdict = nil, posture.Verdict{}
	if d := parsed(t, e); d.Facts != nil || d.Rules != nil || d.Allowed() {
		t.Errorf("got %+v", d)
	}
	e.Policy, e.Door, e.Allowed = "", "", true
	if d := parsed(t, e); d.Policy != "" || !d.Allowed() || d.SnapshotAge != nil {
		t.Errorf("got %+v", d)
	}
	e.Notification = &audit.Notification{Issued: true, TransactionID: "t1", SerialNumber: "0a"}
	if d := parsed(t, e); d.Event != audit.EventNotification || d.Decision != "" || d.Result != "success" || d.TransactionID != "t1" || d.SerialNumber != "0a" {
		t.Errorf("got %+v", d)
	}
}

// A line of a later version has more members, and other kinds of values where this one has none.
func TestParseLaterVersion(t *testing.T) {
	t.Parallel()
	at := journal.NewID(time.UnixMicro(1_700_000_000_000_000))
	d, err := journal.Parse(journal.Found{
		ID: at, Line: []byte(`{"time":"2026-11-27T10:00:00.000000Z","reference":"A","decision":"allow","new":{"a":[1]},
		"facts":{"now":"2026-11-27T10:00:00Z","new":[{}],"request":{"door":"x","new":{"a":{"b":1.5}}},"records":{"i":{"answer":"new","device":{"n":12,"l":[1,{"a":2}],"m":{"k":[null]}},"new":1}}}}`),
		Rules: []byte(`[{"name":"r","new":1}]`),
	})
	if err != nil || d.Reference != "A" || len(d.Rules) != 1 || d.Facts.Records[0].Device[1].Text() != `1, {"a":2}` || d.Facts.Request[1].Name != "request.new.a.b" {
		t.Errorf("got %+v, %v, %+v", d, err, d.Facts)
	}
	for _, broken := range []string{"", "[]", `{"time":1}`, `{"facts":[]}`, `{"facts":{"now":"x"}}`, `{"facts":{"records":{"a":1}}}`} {
		if d, err := journal.Parse(journal.Found{ID: at, Line: []byte(broken)}); err == nil || d.ID != at || !d.Time.Equal(at.Time()) {
			t.Errorf("%s: got %+v, %v", broken, d, err)
		}
	}
	if d, _ := journal.Parse(journal.Found{ID: at, Line: []byte(`{"facts":{"left_out":"more than 5 bytes"}}`)}); d.Facts.LeftOut != "more than 5 bytes" {
		t.Errorf("got %+v", d.Facts)
	}
}

func FuzzParse(f *testing.F) {
	entry, err := journal.NewEncoder().Entry(event())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry.Line, entry.Rules)
	f.Add([]byte(`{"facts":{"records":{"a":{"device":{"a":{"b":[]}}}}}}`), []byte(`[null]`))
	f.Fuzz(func(t *testing.T, line, rules []byte) {
		id := journal.NewID(time.Now())
		d, err := journal.Parse(journal.Found{ID: id, Line: line, Rules: rules})
		if d.ID != id || err == nil && d.Time.IsZero() && !strings.Contains(string(line), "0001-01-01") {
			t.Errorf("got %+v, %v", d, err)
		}
		if d.Facts != nil {
			for _, r := range d.Facts.Records {
				for _, fact := range r.Device {
					_ = fact.Text()
				}
			}
		}
	})
}

// What to do follows from the rule that refuses, or from the code.
func TestAdvice(t *testing.T) {
	t.Parallel()
	e := event()
	d := parsed(t, e)
	if got := d.Advice(); got != outcome.Rule("Turn on FileVault") {
		t.Errorf("by a rule: %+v", got)
	}
	d.Rules = nil
	if got := d.Advice(); got != outcome.Rule("") {
		t.Errorf("by a rule that is not known: %+v", got)
	}
	d.Code = string(posture.DeviceNotFound)
	if got := d.Advice(); got != outcome.Of(posture.DeviceNotFound) {
		t.Errorf("by a code: %+v", got)
	}
	d.Decision = "allow"
	if got := d.Advice(); got != (outcome.Text{}) {
		t.Errorf("allowed: %+v", got)
	}
}

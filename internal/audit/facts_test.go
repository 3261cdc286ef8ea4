package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

// judged is an event of a policy with two rules that are not met.
func judged() *audit.Event {
	e := event()
	e.Policy, e.Inventory, e.Caller, e.Door, e.Provider = "staff", "jamf_eu", "devices", "webhook", "jamf"
	e.Verdict = posture.Verdict{Unmet: []string{"seen"}, WouldDeny: []string{"os", "encrypted"}}
	version, _ := posture.ParseVersion("15.04")
	e.Evidence = &posture.Evidence{
		Now: e.Time, Request: posture.Request{Door: "webhook", Caller: "devices", Mode: "computer", Identifier: "C02XK1JKLVCG", KeyBits: 256, Names: []string{}},
		Given: posture.Computer,
		Answers: []posture.Answer{
			{Inventory: "jamf_eu", Asked: posture.MustFacts("device.os_version", "device.last_seen", "device.groups", "device.attributes", "user.department"), Type: posture.Computer, Record: &posture.Device{
				Identifier: "C02XK1JKLVCG", Type: posture.Computer, Facts: posture.Facts{
					OSVersion: posture.Known(version), LastSeen: posture.Known(e.Time), Groups: posture.Known([]string(nil)), Name: posture.Known("not asked for"),
					Managed: posture.Known(true), Attributes: posture.Known(map[string]string{"b": "2", "a": "\u202e\x1b<\""}),
				},
			}},
			{Inventory: "owned", Err: fmt.Errorf("there: %w", posture.ErrNotFound)},
			{Inventory: "phones", Err: posture.ErrAmbiguous},
			{Inventory: "other", Err: posture.ErrIdentifier},
			{Inventory: "down", Err: context.DeadlineExceeded},
		},
	}
	return e
}

// appended returns the line of an event.
func appended(t *testing.T, e *audit.Event, facts bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail := openTrail(t, path)
	if facts {
		trail.RecordFacts()
	}
	if err := trail.Append(e); err != nil {
		t.Fatal(err)
	}
	return content(t, path)
}

// A line has what a RADIUS server has said of the connection, and where the device was put, only where they are known.
func TestLineOfADoor(t *testing.T) {
	t.Parallel()
	e := event()
	e.Policy, e.Inventory, e.Door, e.Caller, e.NAS, e.VLAN = "wifi", "jamf_eu", "radius", "cn:radius", "ap\n1", "99"
	before := strings.TrimSuffix(appended(t, event(), false), "}\n")
	const of = `"policy":"wifi","inventory":"jamf_eu","caller":"cn:radius","door":"radius",`
	if got, want := appended(t, e, false), before+","+of+`"nas":"ap?1","vlan":"99","unmet":[],"would_deny":[]}`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	e.NAS, e.VLAN = "", ""
	if got, want := appended(t, e, false), before+","+of+`"unmet":[],"would_deny":[]}`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestLineOfAPolicy(t *testing.T) {
	t.Parallel()
	const ofPolicy = `"policy":"staff","inventory":"jamf_eu","caller":"devices","door":"webhook","unmet":["seen"],"would_deny":["os","encrypted"]`
	before := strings.TrimSuffix(appended(t, event(), false), "}\n")
	if got, want := appended(t, judged(), false), before+","+ofPolicy+"}\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	const facts = `{"now":"2026-11-24T11:30:00.123456789Z","mode_given":true,` +
		`"request":{"door":"webhook","caller":"devices","kind":null,"provisioner":null,"mode":"computer","identifier":"C02XK1JKLVCG","key_type":null,"key_bits":256,"names":[]},` +
		`"records":{"jamf_eu":{"answer":"found","found":true,"mode":"computer",` +
		`"device":{"identifier":"C02XK1JKLVCG","type":"computer","os_version":"15.04","managed":true,"last_seen":"2026-11-24T11:30:00.123456789Z","groups":[],"attributes":{"a":"\u202e\u001b<\"","b":"2"}},` +
		`"user":{"department":null}},` +
		`"owned":{"answer":"not_found","found":false,"mode":null},"phones":{"answer":"ambiguous","found":null,"mode":null},` +
		`"other":{"answer":"identifier_invalid","found":false,"mode":null},"down":{"answer":"failed","found":null,"mode":null}}}`
	if got, want := appended(t, judged(), true), before+","+ofPolicy+`,"facts":`+facts+"}\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	// A copy has answered: its age is in the line, in seconds, and the facts are those that it was fetched with.
	recalled := judged()
	recalled.Evidence.Answers[0].Recalled, recalled.Evidence.Answers[0].Age = true, 421*time.Second+time.Second/2
	if got, want := appended(t, recalled, true), before+","+ofPolicy+`,"snapshot_age":421,"facts":`+facts+"}\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	// Without a policy file the inventory has the name that it would have in one.
	plain := event()
	plain.Evidence = &posture.Evidence{Now: plain.Time, Answers: []posture.Answer{{Err: posture.ErrNotFound}}}
	if got := appended(t, plain, true); !strings.HasPrefix(got, before+`,"facts":{`) || !strings.Contains(got, `"records":{"jamf":{"answer":"not_found"`) {
		t.Errorf("without a policy file: %s", got)
	}
	if got := appended(t, event(), true); got != before+",\"facts\":null}\n" {
		t.Errorf("if no inventory was asked: %s", got)
	}
}

// What is too large, or cannot be written with its exact value, is left out, so that nothing is decided on a part of it.
func TestFactsLeftOut(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*posture.Device){
		"more than 262144 bytes": func(d *posture.Device) {
			groups := make([]string, 10_000)
			for i := range groups {
				groups[i] = strings.Repeat("x", 4096)
			}
			d.Facts.Groups = posture.Known(groups)
		},
		"a text is not UTF-8": func(d *posture.Device) { d.Facts.Groups = posture.Known([]string{"\xff"}) },
	} {
		e := judged()
		change(e.Evidence.Answers[0].Record)
		text := appended(t, e, true)
		if !strings.HasSuffix(text, `,"facts":{"left_out":"`+name+"\"}}\n") {
			t.Errorf("%s: the line ends in %s", name, text[max(0, len(text)-200):])
		}
		line, err := audit.NewReader().Read([]byte(text))
		if err != nil || line.Evidence != nil || line.Lacks != "the facts were left out of the line: "+name {
			t.Errorf("%s: read as %+v (%v)", name, line, err)
		}
	}
}

// What is read from a line is what was written: facts that are known, unknown, and not asked for.
func TestRead(t *testing.T) {
	t.Parallel()
	e := judged()
	e.Evidence.Answers[0].Recalled, e.Evidence.Answers[0].Age = true, time.Minute // which changes nothing
	line, err := audit.NewReader().Read([]byte(appended(t, e, true)))
	if err != nil {
		t.Fatal(err)
	}
	if line.Policy != "staff" || line.Caller != "devices" || line.Allowed() || line.Code != "deviceNotInGroup" || len(line.Unmet) != 1 || !line.Evidence.Now.Equal(e.Time) {
		t.Errorf("read %+v", line)
	}
	if got, want := line.Evidence.Request, e.Evidence.Request; !reflect.DeepEqual(got, want) || line.Evidence.Given != posture.Computer {
		t.Errorf("the request is %+v, want %+v", got, want)
	}
	for _, want := range e.Evidence.Answers {
		got := line.Evidence.Answer(want.Inventory)
		if got.Failed() != want.Failed() || got.Type != want.Type || (got.Record == nil) != (want.Record == nil) {
			t.Errorf("%s answered %+v, want %+v", want.Inventory, got, want)
		}
		for _, verdict := range []error{posture.ErrNotFound, posture.ErrAmbiguous, posture.ErrIdentifier} {
			if errors.Is(got.Err, verdict) != errors.Is(want.Err, verdict) {
				t.Errorf("%s answered %v, want %v", want.Inventory, got.Err, want.Err)
			}
		}
	}
	got, want := line.Evidence.Answer("jamf_eu"), e.Evidence.Answers[0]
	if got.Asked != want.Asked|posture.MustFacts("device.identifier", "device.type", "device.managed") {
		t.Errorf("asked for %v, want %v", got.Asked.Names(), want.Asked.Names())
	}
	for _, d := range posture.Vocabulary() {
		value, known := d.Get(got.Record)
		wanted, wantKnown := d.Get(want.Record)
		if !got.Asked.Has(d.Set()) {
			wanted, wantKnown = nil, false
		}
		if at, ok := wanted.(time.Time); ok {
			wanted = at.UTC()
		}
		if fmt.Sprintf("%#v", value) != fmt.Sprintf("%#v", wanted) && d.Name != "device.groups" || known != wantKnown {
			t.Errorf("%s is %#v (%v), want %#v (%v)", d.Name, value, known, wanted, wantKnown)
		}
	}
}

// FuzzRead: hostile lines are errors or lines, and a line that is read has its facts or says what it lacks.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{"time":"2026-11-24T11:30:00Z","reference":"7F3K9Q2M","decision":"deny"}`,
		`{"time":"2026-11-24T11:30:00Z","reference":"7F3K9Q2M","decision":"allow","facts":null}`,
		`{"time":"2026-11-24T11:30:00Z","reference":"7F3K9Q2M","decision":"deny","facts":{"left_out":"x"}}`,
		`{"time":"2026-11-24T11:30:00Z","reference":"7F3K9Q2M","decision":"deny","facts":{"now":"2026-11-24T11:30:00Z","request":{},"records":{"a":{"answer":"found","device":{"groups":["x"],"os_version":"1","managed":null},"user":{"department":"x"}},"b":{"answer":"new word"}}}}`,
		`{"time":"2026-11-24T11:30:00Z","reference":"7F3K9Q2M","decision":"deny","facts":{"now":"2026-11-24T11:30:00Z","request":{},"records":{"a":{"answer":"found","device":{"os_version":15}}}}}`,
		"", "{", "null", "[]", `{"time":1}`,
	} {
		f.Add(text)
	}
	reader := audit.NewReader()
	f.Fuzz(func(t *testing.T, text string) {
		line, err := reader.Read([]byte(text))
		switch {
		case err == nil && (line.Evidence == nil) == (line.Lacks == ""):
			t.Errorf("%q is read as %+v", text, line)
		case err != nil && strings.Contains(text, "7F3K9Q2M") && strings.Contains(err.Error(), "7F3K9Q2M"):
			t.Errorf("the error repeats the line: %v", err)
		case err == nil && !json.Valid([]byte(text)):
			t.Errorf("%q is no JSON, and is read as %+v", text, line)
		}
	})
}

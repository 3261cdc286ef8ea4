package file_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

// judged opens an inventory that a policy reads and that must load, and returns its warnings.
func judged(t testing.TB, kind, content string) (*file.Provider, []string) {
	t.Helper()
	c := written(t, kind, content)
	c.ReadFacts()
	p, warnings, err := file.New(c)
	if err != nil {
		t.Fatalf("New(%s) of %.80q: %v", kind, content, err)
	}
	for i, warning := range warnings {
		warnings[i] = strings.ReplaceAll(warning, string(c.Path), "PATH")
	}
	return p, warnings
}

// record looks a device up, with the facts that are asked for.
func record(t testing.TB, p posture.Provider, id string, asked posture.FactSet) *posture.Device {
	t.Helper()
	device, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, id), Facts: asked})
	if err != nil {
		t.Fatalf("Lookup(%q) = %v, want the device", id, err)
	}
	return &device
}

// known returns all facts of a device that are known.
func known(d *posture.Device) map[string]any {
	all := map[string]any{}
	for _, definition := range posture.Vocabulary() {
		if value, ok := definition.Get(d); ok {
			all[definition.Name] = value
		}
	}
	return all
}

// wantFacts wants these facts and those that every device has, and no other.
func wantFacts(t *testing.T, what string, d *posture.Device, want map[string]any) {
	t.Helper()
	all := map[string]any{"device.identifier": d.Identifier, "device.managed": true}
	maps.Copy(all, want)
	if got := known(d); !reflect.DeepEqual(got, all) {
		t.Errorf("%s: the facts are %v, want %v", what, got, all)
	}
}

func version(t testing.TB, text string) posture.Version {
	t.Helper()
	v, err := posture.ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// asMember is a device in JSON with one fact.
func asMember(name, value string) string {
	about, fact, _ := strings.Cut(name, ".")
	return fmt.Sprintf(`{"devices":[{"identifier":"C02","facts":{%q:{%q:%s}}}]}`, about, fact, value)
}

// asCell is a device in CSV with one fact.
func asCell(name, value string) string {
	return fmt.Sprintf("Identifier,%s\nC02,\"%s\"\n", name, strings.ReplaceAll(value, `"`, `""`))
}

// Every fact of the vocabulary can be given in JSON and in CSV; it is known when it is asked for, and only then.
func TestEveryFact(t *testing.T) {
	t.Parallel()
	seen := time.Date(2026, time.March, 1, 10, 0, 0, 0, time.UTC)
	examples := map[string]struct {
		cell, member string
		want         any
	}{
		"device.identifier":    {"c02", `" c02 "`, "C02"},
		"device.serial_number": {"C02XK1JKLVCG", `"C02XK1JKLVCG"`, "C02XK1JKLVCG"},
		"device.udid":          {"00008110-001C2D8E", `"00008110-001C2D8E"`, "00008110-001C2D8E"},
		"device.name":          {"Ada's Mac", `"Ada's Mac"`, "Ada's Mac"},
		"device.model":         {`MacBook Pro (14", 2024)`, `"MacBook Pro (14\", 2024)"`, `MacBook Pro (14", 2024)`},
		"device.type":          {"computer", `"computer"`, "computer"},
		"device.os":            {"macOS", `"mac\u004fS"`, "macOS"},
		"device.os_version":    {"15.4.1", `"15.4.1"`, version(t, "15.4.1")},
		"device.managed":       {"false", `false`, false},
		"device.supervised":    {"true", `true`, true},
		"device.compliant":     {"false", `false`, false},
		"device.encrypted":     {"true", `true`, true},
		"device.ownership":     {"personal", `"personal"`, "personal"},
		"device.last_seen":     {"2026-03-01T12:00:00+02:00", `"2026-03-01T10:00:00.000Z"`, seen},
		"device.enrolled_at":   {"2026-03-01T10:00:00Z", `"2026-03-01T10:00:00Z"`, seen},
		"device.groups":        {"Staff;Lab, 2;Staff", `["Staff","Lab, 2","Staff"]`, []string{"Staff", "Lab, 2", "Staff"}},
		"device.attributes":    {`{"asset":"A-17", "floor":2}`, `{"asset":"A-17","floor":2}`, map[string]string{"asset": "A-17", "floor": "2"}},
		"user.username":        {"ada", `"ada"`, "ada"},
		"user.realname":        {"Ada Lovelace", `"Ada Lovelace"`, "Ada Lovelace"},
		"user.email_address":   {"ada@example.com", `"ada@example.com"`, "ada@example.com"},
		"user.position":        {"Mathematician", `"Mathematician"`, "Mathematician"},
		"user.department":      {"Zoë's, \"R&D\"", `"Zoë's, \"R&D\""`, "Zoë's, \"R&D\""},
	}
	for _, d := range posture.Vocabulary() {
		example, listed := examples[d.Name]
		if !listed {
			t.Errorf("%s has no example: how does a file give it?", d.Name)
			continue
		}
		contents := map[string]string{"json": asMember(d.Name, example.member), "csv": asCell(d.Name, example.cell)}
		for kind, content := range contents {
			p, warnings := judged(t, kind, content)
			wantLines(t, "warnings of "+content, warnings, nil)
			want := map[string]any{d.Name: example.want}
			wantFacts(t, content, record(t, p, "C02", d.Set()), want)
			others := record(t, p, "C02", posture.AllFacts()&^d.Set())
			if _, ok := d.Get(others); ok != alwaysGiven(d.Name) {
				t.Errorf("%s: %s is known: %v, and was not asked for", content, d.Name, ok)
			}
			if d.Type != posture.AttributesFact {
				want["device.attributes"] = map[string]string{}
			}
			wantFacts(t, content, record(t, p, "C02", posture.AllFacts()), want)

			unread, _ := loaded(t, kind, content)
			wantFacts(t, "without a policy, "+content, record(t, unread, "C02", posture.AllFacts()), nil)
		}
	}
}

// alwaysGiven reports whether a fact is known also where no rule reads it: the gate does.
func alwaysGiven(name string) bool {
	return slices.Contains([]string{"device.identifier", "device.managed", "device.type"}, name)
}

// Each word of a fact is accepted.
func TestEveryWord(t *testing.T) {
	t.Parallel()
	for _, d := range posture.Vocabulary() {
		for _, word := range d.Words {
			for kind, content := range map[string]string{"json": asMember(d.Name, `"`+word+`"`), "csv": asCell(d.Name, word)} {
				p, _ := judged(t, kind, content)
				wantFacts(t, content, record(t, p, "C02", d.Set()), map[string]any{d.Name: word})
			}
		}
	}
}

// An empty cell, null, empty text and a member that is missing are unknown. A device is managed, and has no attributes, where
// the file says nothing about it: no member, no column.
func TestUnknownFacts(t *testing.T) {
	t.Parallel()
	contents := map[string]string{
		`{"devices":[{"identifier":"C02"}]}`:                                             "json",
		`{"devices":[{"identifier":"C02","facts":null}]}`:                                "json",
		`{"devices":[{"identifier":"C02","facts":{}}]}`:                                  "json",
		`{"devices":[{"identifier":"C02","facts":{"device":null,"user":null}}]}`:         "json",
		`{"devices":[{"identifier":"C02","data":null,"facts":{"device":{},"user":{}}}]}`: "json",
		"Identifier\nC02\n": "csv",
	}
	unset := map[string]string{} // the fact that a content says is unknown, and that is known otherwise
	for _, d := range posture.Vocabulary() {
		given := map[string]string{asMember(d.Name, "null"): "json", asCell(d.Name, ""): "csv", "Identifier," + d.Name + "\nC02,\n": "csv"}
		switch d.Type {
		case posture.AttributesFact:
			contents[asMember(d.Name, `{"a":null,"b":""}`)] = "json"
			contents[asCell(d.Name, `{ "a" : null, "b" : "" }`)] = "csv"
		case posture.TextFact, posture.VersionFact, posture.TimeFact:
			given[asMember(d.Name, `""`)], given[asCell(d.Name, "'")], given[asCell(d.Name, `'""`)] = "json", "csv", "csv"
		case posture.BoolFact, posture.ListFact:
		}
		for content, kind := range given {
			contents[content], unset[content] = kind, d.Name
		}
	}
	for content, kind := range contents {
		p, warnings := judged(t, kind, content)
		wantLines(t, "warnings of "+content, warnings, nil)
		want := map[string]any{"device.managed": true, "device.attributes": map[string]string{}}
		delete(want, unset[content])
		want["device.identifier"] = "C02"
		device := record(t, p, "C02", posture.AllFacts())
		if got := known(device); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the facts are %v, want %v", content, got, want)
		}
		if managed := record(t, p, "C02", 0).Facts.Managed; managed != device.Facts.Managed {
			t.Errorf("%s: managed is %v if it is not asked for, want %v", content, managed, device.Facts.Managed)
		}
		if got := record(t, p, "C02", posture.Document).Data; string(got) != "{}" {
			t.Errorf("%s: the data is %s, want none", content, got)
		}
	}
}

// The data of a row is made only where it is asked for: a policy with data of its own reads facts alone.
func TestDataIsMadeWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	p, _ := judged(t, "csv", "Identifier,device.name,asset\nC02,Mac,A-17\n")
	for asked, want := range map[posture.FactSet]string{
		posture.MustFacts("device.name"):                    "",
		posture.MustFacts("device.name") | posture.Document: `{"asset":"A-17"}`,
	} {
		device := record(t, p, "C02", asked)
		if name, _ := device.Facts.Name.Get(); string(device.Data) != want || name != "Mac" || device.Identifier != "C02" {
			t.Errorf("asked for %v: %+v, want data %q and the name", asked.Names(), device, want)
		}
	}
}

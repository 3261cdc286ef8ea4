package file_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

// fetchedSome is the member facts of a snapshot.
const fetchedSome = `"device.identifier","device.managed","device.type","device.os_version"`

// allFetched is that of a snapshot which was made with everything.
func allFetched() string {
	return `"` + strings.Join(append(posture.AllFacts().Names(), "data"), `","`) + `"`
}

// snapshotOf is the file of a copy as package snapshot documents it.
func snapshotOf(facts, devices string) string {
	return fmt.Sprintf(`{"format":1,
"inventory":"jamf",
"settings":"9f86d081",
"begun_at":"2026-01-31T15:04:05Z",
"facts":[%s],
"total":3,
"complete":true,
"lists":{"computer":{"begun_at":"2026-01-31T15:04:05Z","facts":[],"total":2,"complete":true},"mobiledevice":{}},
"devices":[
%s
],
"end":true}
`, facts, devices)
}

// lookupError is the error of a lookup, nil for a device.
func lookupError(t *testing.T, p *file.Provider, q posture.Query) error {
	t.Helper()
	_, err := p.Lookup(t.Context(), q)
	return err
}

// TestSnapshot: what a snapshot does not say is unknown, managed too, and data is no attribute.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	p, warnings := judged(t, "json", snapshotOf(allFetched(), `
		{"identifier":"A1","list":"computer","data":{"x":1},"facts":{"device":{"type":"computer","managed":true,"groups":["staff"],"attributes":{"a":"1"}},"user":{"username":"ana"}}},
		{"identifier":"A2","facts":{"device":{"managed":null,"attributes":{}}}},
		{"identifier":"A3","facts":{"device":{"os":"macOS"}}},
		{"identifier":"A4"}`))
	wantLines(t, "warnings", warnings, nil)
	for id, want := range map[string]map[string]any{
		"A1": {"device.managed": true, "device.type": "computer", "device.groups": []string{"staff"}, "device.attributes": map[string]string{"a": "1"}, "user.username": "ana"},
		"A2": {"device.attributes": map[string]string{}},
		"A3": {"device.os": "macOS"},
		"A4": {},
	} {
		want["device.identifier"] = id
		if got := known(record(t, p, id, posture.AllFacts()|posture.Document)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the facts are %v, want %v", id, got, want)
		}
	}
	if data := record(t, p, "A1", posture.Document).Data; string(data) != `{"x":1}` {
		t.Errorf("the data of A1 is %s", data)
	}
	wantNotFound(t, p, "A5")
	const origin = `, a snapshot of the inventory "jamf" that began at 2026-01-31T15:04:05Z`
	if found, _, err := p.Check(t.Context()); err != nil || !strings.HasSuffix(found, origin) {
		t.Errorf("Check() = %q, %v, want what it is a snapshot of", found, err)
	}
}

// TestMarksOfSnapshot: an identifier that the inventory had twice is ambiguous, whatever stands beside its mark; that of a
// damaged record is a fault. None is ever one of the records.
func TestMarksOfSnapshot(t *testing.T) {
	t.Parallel()
	const managed = `"facts":{"device":{"managed":true}}`
	p, _ := judged(t, "json", snapshotOf(allFetched(), `{"identifier":"GOOD",`+managed+`},
		{"identifier":"TWICE","duplicate":true,`+managed+`},{"identifier":"BOTH","list":"computer",`+managed+`},{"identifier":"both","list":"mobiledevice",`+managed+`},
		{"identifier":"SAME",`+managed+`},{"identifier":"SAME",`+managed+`},
		{"identifier":"BAD","damaged":true,`+managed+`},{"identifier":"WORSE","damaged":true,"duplicate":true},{"identifier":"WORST","duplicate":true,"damaged":true},
		{"identifier":"MIXED","damaged":true},{"identifier":"MIXED",`+managed+`}`))
	ambiguous := map[string]bool{"TWICE": true, "BOTH": true, "SAME": true, "WORSE": true, "WORST": true, "MIXED": true}
	all, _ := listed(t, p, posture.AllFacts())
	for id, records := range all {
		err := lookupError(t, p, posture.Query{Identifier: identifier(t, strings.ToLower(id))})
		want, damaged := 1, false
		switch {
		case ambiguous[strings.ToUpper(id)]:
			if want = 2; !errors.Is(err, posture.ErrAmbiguous) {
				t.Errorf("%s: %v, want that it is ambiguous", id, err)
			}
		case id == "BAD":
			if damaged = true; err == nil || errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) {
				t.Errorf("%s: %v, want a fault", id, err)
			}
		case err != nil:
			t.Errorf("%s: %v, want the device", id, err)
		}
		if len(records) != want || records[0].Damaged != damaged {
			t.Errorf("%s is listed as %+v, want %d records, damaged: %v", id, records, want, damaged)
		}
		for _, one := range records {
			if isManaged, _ := one.Facts.Managed.Get(); isManaged != (id == "GOOD") {
				t.Errorf("%s is listed as managed: %v", id, isManaged)
			}
		}
	}
	if len(all) != 8 {
		t.Errorf("%d identifiers are listed, want 8", len(all))
	}
}

// TestUnfetchedFacts: what a snapshot was not made with is not unknown, but a fault, unless it is only recorded.
func TestUnfetchedFacts(t *testing.T) {
	t.Parallel()
	p, _ := judged(t, "json", snapshotOf(fetchedSome, `{"identifier":"A1","data":{"x":1},"facts":{"device":{"managed":true,"os_version":"15.4","name":"Mac"}}}`))
	groups := posture.MustFacts("device.groups", "device.os_version", "user.username")
	for _, test := range []struct {
		asked, recorded posture.FactSet
		want            string
	}{
		{0, 0, ""},
		{posture.MustFacts("device.os_version", "device.managed", "device.type"), 0, ""},
		{groups, 0, "the snapshot was made without device.groups, user.username"},
		{groups, posture.MustFacts("device.groups"), "the snapshot was made without user.username"},
		{groups, posture.MustFacts("device.groups", "user.username"), ""},
		{posture.Document, 0, "the snapshot was made without the data"},
	} {
		for _, id := range []string{"A1", "MISSING"} {
			err := lookupError(t, p, posture.Query{Identifier: identifier(t, id), Facts: test.asked, Recorded: test.recorded})
			switch {
			case test.want != "" && (err == nil || err.Error() != test.want):
				t.Errorf("%s, %v: %v, want %s", id, test.asked.Names(), err, test.want)
			case test.want == "" && id == "A1" && err != nil, test.want == "" && id == "MISSING" && !errors.Is(err, posture.ErrNotFound):
				t.Errorf("%s, %v: %v", id, test.asked.Names(), err)
			}
		}
	}
	if gives := strings.Join(p.Gives().Names(), ","); `"`+strings.ReplaceAll(gives, ",", `","`)+`"` != `"device.identifier","device.type","device.os_version","device.managed"` {
		t.Errorf("it gives %s", gives)
	}
	if all, total := listed(t, p, posture.AllFacts()|posture.Document); total.Facts != p.Gives() || len(all["A1"]) != 1 {
		t.Errorf("the list gives %v, want %v", total.Facts.Names(), p.Gives().Names())
	}
}

// TestSnapshotsRefused: a snapshot that is not whole, or of another version, could leave out what refuses a device.
func TestSnapshotsRefused(t *testing.T) {
	t.Parallel()
	good := snapshotOf(fetchedSome, `{"identifier":"A1"}`)
	changed := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%q is not in the snapshot", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	without := func(name string) string {
		return `the file is a snapshot without the member "` + name + `": was it written completely?`
	}
	const marks = `; accepted: "list": "computer", "list": "mobiledevice", "duplicate": true, "damaged": true`
	badDevice := func(name string) string {
		return fmt.Sprintf("devices[0]: unknown member %q of a snapshot's device, or a value that it cannot have", name) + marks
	}
	for content, want := range map[string]string{
		good[:strings.LastIndex(good, ",\n\"end\"")] + "}":    without("end"),
		changed(`"inventory":"jamf",`, ""):                    without("inventory"),
		changed(`"facts":[`+fetchedSome+`],`, ""):             without("facts"),
		changed(`"complete":true,`+"\n"+`"lists"`, `"lists"`): without("complete"),
		`{"format":1}`:                                                                        without("inventory"),
		changed(`{"format":1,`, `{"format":2,`):                                               `the file has a member "format" that is not valid: 2; accepted: 1`,
		changed(`{"format":1,`, `{"format":1.0,`):                                             `the file has a member "format" that is not valid: 1.0; accepted: 1`,
		changed(`{"format":1,`, `{"format":"1",`):                                             `the file has a member "format" that is not valid: "1"; accepted: 1`,
		changed(`"settings"`, `"sittings"`):                                                   `the file has the unknown member "sittings"; accepted in a snapshot: format, inventory, settings, begun_at, facts, total, complete, lists, devices, end`,
		changed(`"settings":"9f86d081"`, `"settings":5`):                                      `the file has a member "settings" that is not valid: 5; accepted: text`,
		changed(`"inventory":"jamf"`, `"inventory":null`):                                     `the file has a member "inventory" that is not valid: null; accepted: text`,
		changed(`"2026-01-31T15:04:05Z"`, `"today"`):                                          `the file has a member "begun_at" that is not valid: "today"` + wantTime,
		changed(`"total":3,`, `"total":-1,`):                                                  `the file has a member "total" that is not valid: -1; accepted: a number, or null`,
		changed(`"complete":true,`+"\n"+`"l`, `"complete":1,`+"\n"+`"l`):                      `the file has a member "complete" that is not valid: 1; accepted: true or false`,
		changed(`"end":true`, `"end":false`):                                                  `the file has a member "end" that is not valid: false; accepted: true`,
		changed(`"end":true}`, `"end":true,"inventori":1}`):                                   `the file has the unknown member "inventori"; accepted in a snapshot: format, inventory, settings, begun_at, facts, total, complete, lists, devices, end`,
		changed(`"device.os_version"`, `"device.os_vision"`):                                  `the file has in its member "facts" "device.os_vision", which is no fact`,
		changed(`"device.os_version"`, `7`):                                                   `the file has in its member "facts" 7, which is no fact`,
		changed(`"facts":[`+fetchedSome+`]`, `"facts":{}`):                                    `the file has a member "facts" that is not valid: an object; accepted: a list of names`,
		strings.Replace(changed(`"total":3,`, ``), `"end":true}`, `"end":true,"total":3}`, 1): `the file has the member "total" behind its end`,
		changed(`{"format":1,`, `{"made":1,"format":1,`):                                      `the file has the member "format" behind others; in a snapshot it is the first`,
		changed(`{"identifier":"A1"}`, `{"identifier":"A1","dublicate":true}`):                badDevice("dublicate"),
		changed(`{"identifier":"A1"}`, `{"identifier":"A1","duplicate":1}`):                   badDevice("duplicate"),
		changed(`{"identifier":"A1"}`, `{"identifier":"A1","damaged":false}`):                 badDevice("damaged"),
		changed(`{"identifier":"A1"}`, `{"identifier":"A1","list":"any"}`):                    badDevice("list"),
		good[:len(good)-3]: "line 12, column 10: not valid JSON: unexpected EOF; the file ends too early: was it written completely?",
	} {
		got := refusedWithFacts(t, "json", content)
		wantLines(t, "error of "+content, got, []string{"inventory PATH: " + want})
	}
	wantLines(t, "without a policy", refused(t, "json", good), []string{
		"inventory PATH: the file is a snapshot, which is read only with POLICY_PATH: without it every device would count as managed",
	})
}

// TestReloadOfSnapshot: what a file gives follows the file.
func TestReloadOfSnapshot(t *testing.T) {
	t.Parallel()
	c := written(t, "json", snapshotOf(fetchedSome, `{"identifier":"A1","duplicate":true}`))
	c.ReadFacts()
	p, _, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(string(c.Path), []byte(`{"devices":[{"identifier":"A1"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	next, err := p.Reload()
	if err != nil {
		t.Fatal(err)
	}
	next.Apply()
	wantFacts(t, "after the reload", record(t, p, "A1", posture.AllFacts()), map[string]any{"device.attributes": map[string]string{}})
	if p.Gives() != posture.AllFacts() || p.ListGives() != posture.AllFacts()|posture.Document {
		t.Errorf("it gives %v", p.Gives().Names())
	}
}

package snapshot

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// roundTrip returns what a copy of one device answers about it.
func roundTrip(t *testing.T, d posture.Device, facts posture.FactSet) (posture.Device, bool) {
	t.Helper()
	b := build(newFields(), "", facts|newFields().always, moment{})
	// Twice, so that all texts of the second one are numbered.
	for _, identifier := range []string{d.Identifier + "x", d.Identifier} {
		d.Identifier = identifier
		if err := b.add(posture.Listing{Device: d}); err != nil {
			t.Fatal(err)
		}
	}
	c := b.end(posture.Listed{Facts: posture.AllFacts() | posture.Document, Total: 2})
	id, err := posture.ParseIdentifier(strings.Trim(d.Identifier, " "))
	if err != nil {
		return posture.Device{}, false
	}
	row, found := c.find(id)
	if !found {
		t.Fatalf("%q is not in the copy", d.Identifier)
	}
	var got posture.Device
	if !newFields().readRow(row, c.texts, facts, &got) {
		t.Fatalf("the row of %q cannot be read", d.Identifier)
	}
	return got, true
}

// only returns a device with those facts alone, and whole seconds.
func only(d posture.Device, facts posture.FactSet) posture.Device {
	limited := posture.Device{Identifier: d.Identifier}
	for _, definition := range posture.Vocabulary() {
		if !facts.Has(definition.Set()) {
			continue
		}
		value, known := definition.Get(&d)
		if at, isTime := value.(time.Time); isTime {
			value = at.UTC().Truncate(time.Second)
		}
		if known && definition.Name != "device.identifier" {
			definition.Put(&limited, value)
		}
	}
	if facts.Has(posture.Document) && len(d.Data) > 0 {
		limited.Data = d.Data
	}
	return limited
}

func full(i int) posture.Device {
	var groups []string
	for g := range 8 {
		groups = append(groups, fmt.Sprintf("Group %d of the organization", (i*7+g*13)%200))
	}
	attributes := map[string]string{}
	for a := range 10 {
		attributes[fmt.Sprintf("Extension Attribute %d", a)] = fmt.Sprintf("value %d of it", (i*a)%50)
	}
	version, _ := posture.ParseVersion(fmt.Sprintf("15.%d.%d", i%6, i%3))
	person := fmt.Sprintf("Person%06d", i)
	return posture.Device{
		Identifier: fmt.Sprintf("C02%07d", i), Type: posture.Computer,
		Facts: posture.Facts{
			SerialNumber: posture.Known(fmt.Sprintf("C02%07d", i)),
			UDID:         posture.Known(fmt.Sprintf("%08X-1234-4ABC-8DEF-%012X", i*2654435761%(1<<32), i)),
			Name:         posture.Known(person + "'s MacBook Pro"), Model: posture.Known(fmt.Sprintf("MacBook Pro (14-inch, %d)", 2019+i%6)),
			OS: posture.Known("macOS"), OSVersion: posture.Known(version), Managed: posture.Known(true), Supervised: posture.Known(i%2 == 0),
			Compliant: posture.Known(true), Encrypted: posture.Known(i%9 != 0), Ownership: posture.Known("organization"),
			LastSeen:   posture.Known(time.Date(2026, 1, 2, 3, 4, i%60, 0, time.UTC)),
			EnrolledAt: posture.Known(time.Date(2024, 1, 2, 3, 4, i%60, 0, time.UTC)),
			Groups:     posture.Known(groups), Attributes: posture.Known(attributes),
			User: posture.UserFacts{
				Username: posture.Known(person), RealName: posture.Known("Ana " + person), EmailAddress: posture.Known(person + "@example.com"),
				Position: posture.Known(fmt.Sprintf("Position %d", i%80)), Department: posture.Known(fmt.Sprintf("Department %d", i%40)),
			},
		},
	}
}

// TestRowFacts: a row gives exactly the facts that are asked for, each alone, all but each, and with all unknown.
func TestRowFacts(t *testing.T) {
	t.Parallel()
	d := full(3)
	d.Data = []byte(`{"a": 1}`)
	all := posture.AllFacts() | posture.Document
	sets := []posture.FactSet{0, all, posture.Document}
	for _, definition := range posture.Vocabulary() {
		sets = append(sets, definition.Set(), all&^definition.Set())
	}
	for _, d := range []posture.Device{d, {Identifier: "A1"}, {Identifier: " spaced ", Type: posture.MobileDevice}} {
		for _, facts := range sets {
			got, ok := roundTrip(t, d, facts)
			if want := only(d, facts); !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("with the facts %v the row of %q is\n%+v\nwant\n%+v", facts.Names(), d.Identifier, got, want)
			}
		}
	}
}

// TestRowValues: awkward values come back to the byte.
func TestRowValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a", "\xff\xfe", "A1", "a1", strings.Repeat("x", 5000), "00000000-0000-0000-0000-000000000000",
		"abcdef01-2345-6789-abcd-ef0123456789", "ABCDEF01-2345-6789-ABCD-EF0123456789", "ABCDEF01-2345-6789-abcd-ef0123456789",
		"abcdef0102345-6789-abcd-ef0123456789", "abcdef01-2345-6789-abcd-ef012345678g",
	} {
		d := posture.Device{Identifier: "A1", Facts: posture.Facts{
			UDID: posture.Known(text), Groups: posture.Known([]string{text, "x", text}), Attributes: posture.Known(map[string]string{text: text}),
		}}
		got, _ := roundTrip(t, d, posture.AllFacts())
		if udid, known := got.Facts.UDID.Get(); !known || udid != text {
			t.Errorf("the text %.40q is read as %.40q", text, udid)
		}
		got.Facts.UDID, d.Facts.UDID = posture.Fact[string]{}, posture.Fact[string]{}
		if !reflect.DeepEqual(got, d) {
			t.Errorf("%+v is read as %+v", d, got)
		}
	}
	for _, seconds := range []int64{-1 << 62, -62135596800, 0, timeBase, timeBase - 1, 253402300799, 1 << 62} {
		at := time.Unix(seconds, 0).UTC()
		got, _ := roundTrip(t, posture.Device{Identifier: "A1", Facts: posture.Facts{LastSeen: posture.Known(at)}}, posture.AllFacts())
		if read, known := got.Facts.LastSeen.Get(); !known || !read.Equal(at) {
			t.Errorf("the time %v is read as %v", at, read)
		}
	}
}

// FuzzRow: any device comes back, for any set of facts.
func FuzzRow(f *testing.F) {
	f.Add("C02", "name", "group", uint64(1), uint32(1<<31|0xffff))
	f.Add(" C02", "ABCDEF01-2345-6789-ABCD-EF0123456789", "", uint64(7), ^uint32(0))
	f.Add("c02", "c02", "\xff", uint64(99), uint32(0))
	f.Fuzz(func(t *testing.T, identifier, one, two string, seed uint64, set uint32) {
		if _, err := posture.ParseIdentifier(strings.Trim(identifier, " ") + "x"); err != nil {
			t.Skip("no request can be about it")
		}
		facts := posture.FactSet(set)
		draw := func(below int) int {
			seed = seed*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
			return int(seed>>33) % below
		}
		d := posture.Device{Identifier: identifier}
		for _, definition := range posture.Vocabulary() {
			text := [...]string{one, two, one + two, identifier}[draw(4)]
			switch {
			case draw(3) == 0 || definition.Name == "device.identifier":
			case definition.Words != nil:
				definition.Put(&d, definition.Words[draw(len(definition.Words))])
			case definition.Type == posture.TextFact && text != "":
				definition.Put(&d, text)
			case definition.Type == posture.BoolFact:
				definition.Put(&d, draw(2) == 0)
			case definition.Type == posture.TimeFact:
				definition.Put(&d, time.Unix(int64(draw(1<<31))<<9, int64(draw(1e9))))
			case definition.Type == posture.ListFact:
				definition.Put(&d, []string{one, two, text}[:draw(4)])
			case definition.Type == posture.AttributesFact:
				definition.Put(&d, map[string]string{one: two, text: identifier})
			case definition.Type == posture.VersionFact:
				if version, err := posture.ParseVersion(fmt.Sprintf("%d.%d", draw(20), draw(20))); err == nil {
					definition.Put(&d, version)
				}
			}
		}
		if two != "" {
			d.Data = []byte(two)
		}
		got, ok := roundTrip(t, d, facts)
		if want := only(d, facts); ok && !reflect.DeepEqual(got, want) {
			t.Errorf("with the facts %v the row is\n%+v\nwant\n%+v", facts.Names(), got, want)
		}
	})
}

// TestRowCutOff: a row that is cut off anywhere is never read as a whole one, and nothing panics.
func TestRowCutOff(t *testing.T) {
	t.Parallel()
	f := newFields()
	w := &rowWriter{fields: f, interner: newInterner()}
	d := full(1)
	whole := w.write(&d, posture.AllFacts())
	for end := range len(whole) {
		var got posture.Device
		if f.readRow(whole[:end], w.interner.texts, posture.AllFacts(), &got) {
			t.Errorf("the first %d of %d bytes are read as a row", end, len(whole))
		}
	}
}

// TestSize: a copy of devices as Jamf has them takes at most 250 bytes a device, index and texts included.
func TestSize(t *testing.T) {
	t.Parallel()
	const devices, most = 100_000, 250
	b := build(newFields(), posture.Computer, posture.AllFacts(), moment{})
	for i := range devices {
		if err := b.add(posture.Listing{Device: full(i)}); err != nil {
			t.Fatal(err)
		}
	}
	size := b.writer.size
	c := b.end(posture.Listed{Facts: posture.AllFacts(), Total: devices})
	size += c.table.Size()
	t.Logf("%d bytes a device, %d texts", size/devices, len(c.texts))
	if size > most*devices {
		t.Errorf("%d devices take %d bytes, %d each; want at most %d", devices, size, size/devices, most)
	}
	if c.table.Len() != devices || !c.complete {
		t.Errorf("the copy has %d devices, complete %v", c.table.Len(), c.complete)
	}
}

package export_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/export"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

// random makes devices of all kinds of values.
type random struct{ *rand.Rand }

// pieces are what is awkward in a cell, a line, JSON, or a spreadsheet.
func pieces() []string {
	return []string{
		"a", "Ada Lovelace", " ", "", "=", "+", "-", "@", "'", `"`, `\`, ",", ";", "[", "]", "{", "}", "\t", "\n", "\r\n", "\r", "\x00", "\x7f",
		"\u0085", "\u00a0", "\u2028", "\ufeff", "\ufffd", "＝", "日本", "😀", `"a"`, `["a"]`, `\u0041`, "null", "true", "1e5", "//", "<&>", "#",
	}
}

func (r random) text() string {
	var text strings.Builder
	all := pieces()
	for range r.IntN(5) {
		text.WriteString(all[r.IntN(len(all))])
	}
	return text.String()
}

func (r random) texts() []string {
	texts := []string{}
	for range r.IntN(4) {
		texts = append(texts, r.text())
	}
	return texts
}

// value is one of a fact.
func (r random) value(d *posture.Definition) any {
	switch d.Type {
	case posture.BoolFact:
		return r.IntN(2) == 0
	case posture.VersionFact:
		version, _ := posture.ParseVersion([]string{"15", "15.4", "015.4.0", "10.0.26100.4652"}[r.IntN(4)])
		return version
	case posture.TimeFact:
		return time.Unix(int64(r.IntN(1_800_000_000)), int64(r.IntN(1_000_000_000))).In(time.FixedZone("", r.IntN(3)*3600))
	case posture.ListFact:
		return r.texts()
	case posture.AttributesFact:
		attributes := map[string]string{}
		for range r.IntN(4) {
			attributes[r.text()] = r.text()
		}
		return attributes
	default:
		if d.Words != nil && r.IntN(10) > 0 {
			return d.Words[r.IntN(len(d.Words))]
		}
		return r.text()
	}
}

func (r random) device(n int) posture.Device {
	var d posture.Device
	for _, definition := range posture.Vocabulary() {
		if r.IntN(4) > 0 {
			definition.Put(&d, r.value(definition))
		}
	}
	prefix := []string{"C02", "=", "'", `"`, "-", "@x y", "a;b", `'"`}[r.IntN(8)]
	d.Identifier = fmt.Sprintf("%s%d", prefix, n)
	if r.IntN(4) == 0 {
		d.Identifier += `"`
	}
	d.Data = [][]byte{nil, []byte(`{}`), []byte(`{"a":"b", "asset":1}`), []byte(`{"Ada Lovelace":{"a":[null]},"=":"x","":""}`)}[r.IntN(4)]
	return d
}

// said is what a device says to a policy. Empty text is unknown, also in attributes, as are times that cannot be
// true and groups without a name; times are whole seconds.
func said(d posture.Device, now time.Time) map[string]any {
	facts := map[string]any{}
	for _, definition := range posture.Vocabulary() {
		value, known := definition.Get(&d)
		if !known {
			continue
		}
		switch v := value.(type) {
		case time.Time:
			if _, known = posture.Moment(v, now).Get(); known {
				value = v.Unix()
			}
		case posture.Version:
			value = v.String()
		case []string:
			named := []string{}
			for _, name := range v {
				if name != "" {
					named = append(named, name)
				}
			}
			value, known = named, len(named) > 0 || len(v) == 0
		case map[string]string:
			value = maps.Clone(v)
			maps.DeleteFunc(value.(map[string]string), func(_, text string) bool { return text == "" })
		}
		if known {
			facts[definition.Name] = value
		}
	}
	return facts
}

// readBack exports an inventory and opens the file.
func readBack(t *testing.T, from posture.Lister, format export.Format) *file.Provider {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices")
	if _, err := export.Write(t.Context(), from, export.Options{Format: format, Path: path}); err != nil {
		t.Fatal(err)
	}
	c := file.Config{Path: config.Path(path), Type: string(format)}
	c.ReadFacts()
	p, _, err := file.New(c)
	if err != nil {
		content, _ := os.ReadFile(path)
		t.Fatalf("the provider file refuses the file: %v\n%.2000s", err, content)
	}
	return p
}

// The provider file reads back the same facts of every type, and in JSON the same data. An export of what it has read is
// the same again.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const runs, count = 6, 40
	for _, format := range []export.Format{export.CSV, export.JSON} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(runs) {
				roundTrip(t, random{rand.New(rand.NewPCG(seed, 0))}, count, format)
			}
		})
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(0), true)
	f.Fuzz(func(t *testing.T, seed uint64, asJSON bool) {
		format := export.CSV
		if asJSON {
			format = export.JSON
		}
		roundTrip(t, random{rand.New(rand.NewPCG(seed, 1))}, 3, format)
	})
}

func roundTrip(t *testing.T, r random, count int, format export.Format) {
	t.Helper()
	var given []posture.Device
	for n := range count {
		given = append(given, r.device(n))
	}
	from := devices(given...)
	now := time.Now()
	first := readBack(t, from, format)
	for round, p := range []*file.Provider{first, readBack(t, first, format)} {
		for _, d := range given {
			id, err := posture.ParseIdentifier(d.Identifier)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Lookup(t.Context(), posture.Query{Identifier: id, Facts: posture.AllFacts() | posture.Document})
			if err != nil {
				t.Errorf("%s, round %d: %q: %v", format, round, d.Identifier, err)
				continue
			}
			if have, want := said(got, now), said(d, now); !reflect.DeepEqual(have, want) {
				t.Errorf("%s, round %d: the facts are\n%q\nwant\n%q", format, round, have, want)
			}
			if have, want := strings.ReplaceAll(string(got.Data), " ", ""), strings.ReplaceAll(string(d.Data), " ", ""); format == export.JSON && have != want && want != "" {
				t.Errorf("%s, round %d: the data is %s, want %s", format, round, have, want)
			}
		}
	}
}

// What an inventory does not know of a device is no more in the file: a device that is not managed stays so.
func TestUnknownStaysUnknown(t *testing.T) {
	t.Parallel()
	unknown := posture.Device{Identifier: "C02A", Data: []byte(`{"a":"b"}`)}
	for _, format := range []export.Format{export.CSV, export.JSON} {
		p := readBack(t, devices(unknown, device("C02B")), format)
		id, _ := posture.ParseIdentifier("C02A")
		got, err := p.Lookup(t.Context(), posture.Query{Identifier: id, Facts: posture.AllFacts()})
		if _, known := got.Facts.Managed.Get(); known || err != nil {
			t.Errorf("%s: managed is %v, %v", format, got.Facts.Managed, err)
		}
		if facts := said(got, time.Now()); len(facts) != 1 {
			t.Errorf("%s: the facts are %v", format, facts)
		}
	}
}

package posture_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"15.4.1": true, "15": true, "10.0.26100.4652": true, "24.04": true, "0": true, "2147483647": true,
		"": false, ".": false, "15.": false, ".4": false, "1.2.3.4.5": false, "15.4.1 (a)": false, "v15": false, "15.4-beta": false,
		"2147483648": false, "-1": false, "+1": false, "1_0": false, " 15": false, "0x1": false, "１５": false,
	} {
		v, err := posture.ParseVersion(text)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if ok && v.String() != text {
			t.Errorf("%q became %q", text, v)
		}
	}
	version := func(text string) posture.Version {
		v, err := posture.ParseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"15.4", "15.4.0", 0},
		{"15.10", "15.9", 1},
		{"9", "10", -1},
		{"10.0.26100.4652", "10.0.26100", 1},
		{"24.04", "24.4", 0},
		{"0", "0.0.0.0", 0},
	} {
		a, b := version(c.a), version(c.b)
		if a.Compare(b) != c.want || b.Compare(a) != -c.want || a.AtLeast(b) != (c.want >= 0) {
			t.Errorf("%s against %s: %d, want %d", c.a, c.b, a.Compare(b), c.want)
		}
	}
}

// Every fact of the vocabulary can be put into a record and read back; in the zero record each is unknown.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	version, _ := posture.ParseVersion("15.4")
	values := map[posture.FactType]any{
		posture.TextFact: "x", posture.BoolFact: false, posture.VersionFact: version, posture.TimeFact: time.Unix(0, 0),
		posture.ListFact: []string{}, posture.AttributesFact: map[string]string{},
	}
	all := posture.Document // no fact may have its bit
	for _, d := range posture.Vocabulary() {
		var r posture.Device
		if _, known := d.Get(&r); known {
			t.Errorf("%s is known in the zero record", d.Name)
		}
		value := values[d.Type]
		if d.Words != nil {
			d.Put(&r, "x")
			if _, known := d.Get(&r); known {
				t.Errorf("%s is known, though it is none of %q", d.Name, d.Words)
			}
			value = d.Words[0]
		}
		d.Put(&r, value)
		if _, known := d.Get(&r); !known {
			t.Errorf("%s is unknown after it was put", d.Name)
		}
		for _, other := range posture.Vocabulary() {
			if _, known := other.Get(&r); known != (other.Name == d.Name) {
				t.Errorf("%s was put: %s is known: %v", d.Name, other.Name, known)
			}
		}
		if all.Has(d.Set()) || d.Set() == 0 {
			t.Errorf("%s shares its bit", d.Name)
		}
		all |= d.Set()
		if names := d.Set().Names(); len(names) != 1 || names[0] != d.Name {
			t.Errorf("%s is named %q", d.Name, names)
		}
	}
}

// The placeholders that inventories send for unknown values are unknown.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for moment, known := range map[time.Time]bool{
		{}: false, time.Unix(0, 0): false, time.Date(1989, 12, 31, 23, 59, 59, 0, time.UTC): false, time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC): true,
		now: true, now.Add(24 * time.Hour): true, now.Add(24*time.Hour + 1): false,
	} {
		if _, got := posture.Moment(moment, now).Get(); got != known {
			t.Errorf("%v: known %v", moment, got)
		}
	}
	fraction := now.Add(-time.Nanosecond)
	if got, _ := posture.Moment(fraction, now).Get(); !got.Equal(now.Add(-time.Second)) {
		t.Errorf("%v is %v, want whole seconds", fraction, got)
	}
	if _, known := posture.Text("").Get(); known {
		t.Error("empty text is known")
	}
	if _, known := posture.Word("Macos", posture.OperatingSystems()).Get(); known {
		t.Error("a word that is none is known")
	}
}

package posture_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

// FuzzParseIdentifier compares with the specification's sentence: 1 to 256 bytes of printable ASCII
// without spaces at the ends. It compares case folding with one that knows ASCII letters only.
func FuzzParseIdentifier(f *testing.F) {
	for _, seed := range [][2]string{
		{"C02XK1JKLVCG", "c02xk1jklvcg"},
		{"00008110-000A1D5E3C38801E", "00008110-000a1d5e3c38801e"},
		{"K", "\u212a"},
		{"s", "\u017f"},
		{"i", "\u0130"},
		{"K\u0301", "k"},
		{" C02", "C02"},
		{"C02 ", "C02\t"},
		{"a b", "A B"},
		{"\u00a0C02", "C02"},
		{"", " "},
		{"\x00", "\x7f"},
		{"~", "!"},
		{"[", "{"},
		{"@", "`"},
		{"^", "~"},
		{"\xff", "\xc3"},
		{strings.Repeat("x", 256), strings.Repeat("X", 256)},
		{strings.Repeat("x", 257), strings.Repeat("é", 128)},
	} {
		f.Add(seed[0], seed[1])
	}
	form := regexp.MustCompile(`^[!-~]([ -~]{0,254}[!-~])?$`)
	f.Fuzz(func(t *testing.T, one, two string) {
		a, errA := posture.ParseIdentifier(one)
		b, errB := posture.ParseIdentifier(two)
		for _, parsed := range []struct {
			text string
			id   posture.Identifier
			err  error
		}{{one, a, errA}, {two, b, errB}} {
			if accepted, want := parsed.err == nil, form.MatchString(parsed.text); accepted != want {
				t.Fatalf("ParseIdentifier(%q) = %v, want accepted %v", parsed.text, parsed.err, want)
			}
			checkIdentifier(t, parsed.text, parsed.id, parsed.err)
			key, err := posture.AppendKey([]byte("before"), []byte(parsed.text))
			if fmt.Sprint(err) != fmt.Sprint(parsed.err) || err == nil && string(key) != "before"+parsed.id.Key() {
				t.Errorf("AppendKey of %q = %q, %v, want the key %q, %v", parsed.text, key, err, parsed.id.Key(), parsed.err)
			}
		}
		if errA != nil || errB != nil {
			return
		}
		same := equalButForASCIICase(one, two)
		if got := posture.SameKey([]byte(one), []byte(two)); got != same {
			t.Errorf("SameKey(%q, %q) = %v, want %v", one, two, got, same)
		}
		if got := a.Key() == b.Key(); got != same {
			t.Errorf("%q and %q have the same key: %v, want %v", one, two, got, same)
		}
		ofA, ofB := posture.Device{Identifier: one}, posture.Device{Identifier: two}
		if a.Matches(ofB) != same || b.Matches(ofA) != same {
			t.Errorf("%q matches %q: %v, the other way round %v, want %v", one, two, a.Matches(ofB), b.Matches(ofA), same)
		}
	})
}

func checkIdentifier(t *testing.T, text string, id posture.Identifier, err error) {
	t.Helper()
	if err != nil {
		if id != (posture.Identifier{}) || id.Matches(posture.Device{Identifier: text}) || id.Matches(posture.Device{}) {
			t.Errorf("ParseIdentifier(%q) = %v with its error, want the zero Identifier, which matches nothing", text, id)
		}
		if len(text) > 20 && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats the identifier: %v", err)
		}
		return
	}
	if id.String() != text {
		t.Errorf("ParseIdentifier(%q).String() = %q, want it as it was given", text, id)
	}
	again, err := posture.ParseIdentifier(id.Key())
	if err != nil || again.Key() != id.Key() {
		t.Errorf("the key of the key %q is %q, %v, want the same", id.Key(), again.Key(), err)
	}
	for _, own := range []string{text, strings.ToUpper(text), strings.ToLower(text), " " + text + " "} {
		if !id.Matches(posture.Device{Identifier: own}) {
			t.Errorf("%q does not match a device %q", text, own)
		}
	}
	for _, other := range []string{"", text + "x", "x" + text, text + "\x00", text[1:]} {
		if id.Matches(posture.Device{Identifier: other}) {
			t.Errorf("%q matches a device %q", text, other)
		}
	}
}

func equalButForASCIICase(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		letter := 'a' <= x|0x20 && x|0x20 <= 'z'
		if x != y && (!letter || x^y != 0x20) {
			return false
		}
	}
	return true
}

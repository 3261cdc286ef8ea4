package policy_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// Text goes out as encoding/json writes it, whatever its characters are: the reader of a template must not see the difference.
func TestTextOfDataIsThatOfTheLibrary(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu")
	value, faults := s.CompileValue(`device.attributes["x"]`)
	if faults != nil {
		t.Fatal(faults)
	}
	p := &policy.Policy{Data: []policy.Datum{{Name: "x", Value: value}}}
	texts := []string{"Engineering", "a \xff b", "\u2028\u2029", string(utf8.MaxRune)}
	for c := range rune(0x180) {
		texts = append(texts, string(c), "ab"+string(c)+"cd")
	}
	e := question()
	for _, text := range texts {
		e.Deciding.Facts.Attributes = posture.Known(map[string]string{"x": text})
		want, err := json.Marshal(map[string]string{"x": text})
		if err != nil {
			t.Fatal(err)
		}
		if got, unknown, err := p.Render(e); string(got) != string(want) || unknown != nil || err != nil {
			t.Errorf("%q: %s, unknown %v, %v, want %s", text, got, unknown, err, want)
		}
	}
}

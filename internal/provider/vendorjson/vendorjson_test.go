package vendorjson_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// now is when the records of these tests are read.
func now() time.Time { return time.Date(2026, time.May, 4, 3, 2, 1, 0, time.UTC) }

// said writes a fact as a row of a table does: ? is unknown.
func said[T any](f posture.Fact[T]) string {
	value, known := f.Get()
	if !known {
		return "?"
	}
	return fmt.Sprint(value)
}

// member reads the member "a" of an object, which may be missing.
func member[T any](t *testing.T, object string) (T, error) {
	t.Helper()
	var into struct {
		A T `json:"a"`
	}
	err := json.Unmarshal([]byte(object), &into)
	return into.A, err //nolint:wrapcheck // the test judges it
}

// TestText: what each kind of value says.
func TestText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		object, any, said string
		missing, says     bool
	}{
		{`{}`, "", "", true, false},
		{`{"A":"x"}`, "", "", true, false},
		{`{"a":null}`, "", "", false, true},
		{`{"a":""}`, "", "", false, true},
		{`{"a":"text"}`, "text", "text", false, true},
		{`{"a": "\u00fc\"" }`, `ü"`, `ü"`, false, true},
		{`{"a":"null"}`, "null", "null", false, true},
		{`{"a":0}`, "0", "", false, true},
		{`{"a":-1.50e3}`, "-1.50e3", "", false, true},
		{`{"a":123456789012345678901}`, "123456789012345678901", "", false, true},
		{`{"a":true}`, "true", "", false, true},
		{`{"a":false}`, "false", "", false, true},
		{`{"a":{}}`, "", "", false, false},
		{`{"a":{"b":"c"}}`, "", "", false, false},
		{`{"a":[]}`, "", "", false, false},
		{`{"a":["b"]}`, "", "", false, false},
	} {
		got, err := member[vendorjson.Text](t, row.object)
		if err != nil || got.Any != row.any || got.Said() != row.said || got.Missing() != row.missing || got.Says() != row.says {
			t.Errorf("%s: %+v, %v, missing %v, says %v, want %+v", row.object, got, err, got.Missing(), got.Says(), row)
		}
		want := "?"
		if row.said != "" {
			want = row.said
		}
		if said(got.Fact()) != want {
			t.Errorf("%s: the fact is %s, want %s", row.object, said(got.Fact()), want)
		}
	}
}

// TestTextIsReplaced: a value that is read again keeps nothing of the one before.
func TestTextIsReplaced(t *testing.T) {
	t.Parallel()
	text, truth := vendorjson.Text{}, vendorjson.Truth{}
	maybe := vendorjson.Maybe[map[string]int]{}
	for _, value := range []string{`"a"`, `{"b":1}`, `true`, `{"c":1}`, `null`} {
		for _, into := range []any{&text, &truth, &maybe} {
			if err := json.Unmarshal([]byte(value), into); err != nil {
				t.Errorf("%s: %v", value, err)
			}
		}
		if value == `{"c":1}` && (text.Any != "" || said(truth.Any) != "?" || !reflect.DeepEqual(maybe.Value, map[string]int{"c": 1})) {
			t.Errorf("%s: %+v, %+v, %+v", value, text, truth, maybe)
		}
	}
	if text.Kind != 'n' || text.Any != "" || maybe.Value != nil {
		t.Errorf("null: %+v, %+v", text, maybe)
	}
}

// TestVersionAndMoment: a version or a time that is not certain is unknown.
func TestVersionAndMoment(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`"15.4.1"`: "15.4.1", `"10.0.22631.3447"`: "10.0.22631.3447", `15.4`: "?", `""`: "?", `null`: "?", `"unknown"`: "?", `["15"]`: "?",
	} {
		if got, err := member[vendorjson.Text](t, `{"a":`+value+`}`); err != nil || said(got.Version()) != want {
			t.Errorf("%s: the version %s, %v, want %s", value, said(got.Version()), err, want)
		}
	}
	const moment = "2026-05-04 01:02:03 +0000 UTC"
	for value, want := range map[string]string{
		`"2026-05-04T01:02:03Z"`:           moment,
		`"2026-05-04T01:02:03.1Z"`:         moment,
		`"2026-05-04T01:02:03.123456789Z"`: moment,
		`"2026-05-04T03:02:03+02:00"`:      moment,
		`"2026-05-04T03:02:03.5+0200"`:     moment,
		`"2026-05-03T20:02:03-0500"`:       moment,
		`"2026-05-05T01:02:03Z"`:           "2026-05-05 01:02:03 +0000 UTC", // a day, for wrong clocks
		`"2026-05-06T01:02:03Z"`:           "?",
		`"0001-01-01T00:00:00Z"`:           "?",
		`"1970-01-01T00:00:00Z"`:           "?",
		`"2026-05-04T01:02:03"`:            "?", // no zone
		`"2026-05-04"`:                     "?",
		`"2026-13-04T01:02:03Z"`:           "?",
		`" 2026-05-04T01:02:03Z"`:          "?",
		`1777856523`:                       "?",
		`""`:                               "?",
		`null`:                             "?",
	} {
		if got, err := member[vendorjson.Text](t, `{"a":`+value+`}`); err != nil || said(got.Moment(now())) != want {
			t.Errorf("%s: the time %s, %v, want %s", value, said(got.Moment(now())), err, want)
		}
	}
	text := vendorjson.Text{Any: "04.05.2026 03:02 +0200", Kind: '"'}
	if got := said(text.MomentIn(now(), time.DateOnly, "02.01.2006 15:04 -0700")); got != "2026-05-04 01:02:00 +0000 UTC" {
		t.Errorf("in another layout: %s", got)
	}
	if got := said(text.MomentIn(now())); got != "?" {
		t.Errorf("in no layout: %s", got)
	}
}

// TestTruth: only true and false are known, and as a fact only where they are no text.
func TestTruth(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		object, any, fact string
	}{
		{`{}`, "?", "?"},
		{`{"a":true}`, "true", "true"},
		{`{"a":false}`, "false", "false"},
		{`{"a": false }`, "false", "false"},
		{`{"a":"true"}`, "true", "?"},
		{`{"a":"false"}`, "false", "?"},
		{`{"a":"True"}`, "?", "?"},
		{`{"a":"\"true\""}`, "?", "?"},
		{`{"a":""}`, "?", "?"},
		{`{"a":null}`, "?", "?"},
		{`{"a":0}`, "?", "?"},
		{`{"a":1}`, "?", "?"},
		{`{"a":"1"}`, "?", "?"},
		{`{"a":[true]}`, "?", "?"},
		{`{"a":{"true":true}}`, "?", "?"},
	} {
		got, err := member[vendorjson.Truth](t, row.object)
		if err != nil || said(got.Any) != row.any || said(got.Fact()) != row.fact {
			t.Errorf("%s: %s, as a fact %s, %v, want %s and %s", row.object, said(got.Any), said(got.Fact()), err, row.any, row.fact)
		}
	}
}

// device is a record of these tests.
type device struct {
	Serial vendorjson.Text                      `json:"serial"`
	User   vendorjson.Maybe[map[string]float64] `json:"user"`
	Rank   int                                  `json:"rank"`
}

// TestMaybe: anything but an object is as if it were missing. An object that cannot be read breaks its record.
func TestMaybe(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]jsontext.Kind{
		`{}`: 0, `{"a":null}`: 'n', `{"a":[]}`: '[', `{"a":"x"}`: '"', `{"a":1}`: '0', `{"a":{}}`: '{', `{"a":{"rank":3,"more":[]}}`: '{',
	} {
		got, err := member[vendorjson.Maybe[device]](t, object)
		if err != nil || got.Kind != want || (got.Value.Rank == 3) != (object == `{"a":{"rank":3,"more":[]}}`) {
			t.Errorf("%s: %+v, %v", object, got, err)
		}
	}
	if got, err := member[vendorjson.Maybe[device]](t, `{"a":{"rank":"x"}}`); err == nil {
		t.Errorf("an object of another shape: %+v", got)
	}
}

// TestRecord: a record that cannot be read whole is broken, keeps nothing, and costs no other record.
func TestRecord(t *testing.T) {
	t.Parallel()
	for value, serial := range map[string]string{ // "" is broken
		`{"serial":"A"}`:                     "A",
		`{"serial":"A","rank":1,"more":{}}`:  "A",
		`{"serial":"A","user":{"x":1}}`:      "A",
		`{"serial":"A","user":["x"]}`:        "A",
		`{"serial":"A","rank":"1"}`:          "",
		`{"serial":"A","user":{"x":"one"}}`:  "",
		`{"serial":"A","rank":1.5}`:          "",
		`{"serial":"A","rank":9999999999e9}`: "",
		`null`:                               "",
		`"A"`:                                "",
		`["A"]`:                              "",
		`1`:                                  "",
	} {
		var list []vendorjson.Record[device]
		err := json.Unmarshal([]byte(`[{"serial":"B"},`+value+`,{"serial":"C"}]`), &list)
		if err != nil || len(list) != 3 || list[0].Value.Serial.Said() != "B" || list[2].Value.Serial.Said() != "C" {
			t.Errorf("%s: %+v, %v", value, list, err)
			continue
		}
		if got := list[1]; got.Broken != (serial == "") || got.Value.Serial.Said() != serial || got.Broken && !reflect.DeepEqual(got.Value, device{}) {
			t.Errorf("%s: %+v", value, got)
		}
	}
}

func TestFirstKnown(t *testing.T) {
	t.Parallel()
	none, a, b := posture.Fact[bool]{}, posture.Known(false), posture.Known(true)
	for _, row := range []struct {
		facts []posture.Fact[bool]
		want  string
	}{
		{nil, "?"},
		{[]posture.Fact[bool]{none, none}, "?"},
		{[]posture.Fact[bool]{none, a, b}, "false"},
		{[]posture.Fact[bool]{b, none, a}, "true"},
	} {
		if got := said(vendorjson.FirstKnown(row.facts...)); got != row.want {
			t.Errorf("FirstKnown(%v) = %s, want %s", row.facts, got, row.want)
		}
	}
}

// FuzzRecord: whatever valid JSON a vendor sends, reading it neither fails nor panics, and nothing is known that is not there.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{
		`{"serial":"A","user":{"x":1},"rank":1}`, `{"serial":null,"on":"true"}`, `[1,{}]`, `"\ud800"`, `{"serial":1e999,"on":[]}`, `{"serial":"A","serial":"B"}`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	type record struct {
		Serial vendorjson.Text          `json:"serial"`
		On     vendorjson.Truth         `json:"on"`
		User   vendorjson.Maybe[device] `json:"user"`
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var list []vendorjson.Record[record]
		err := json.Unmarshal([]byte(`[`+string(value)+`]`), &list)
		if !jsontext.Value(value).IsValid() {
			return // must only not panic
		}
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %v", value, err)
		}
		r := list[0]
		_, _, _ = r.Value.Serial.Moment(now()), r.Value.Serial.Version(), r.Value.On.Fact()
		if r.Broken && !reflect.DeepEqual(r.Value, record{}) {
			t.Errorf("%s: a broken record has %+v", value, r.Value)
		}
		if text := r.Value.Serial; text.Said() != "" && text.Kind != '"' || text.Missing() && text.Any != "" {
			t.Errorf("%s: %+v", value, text)
		}
		var text vendorjson.Text
		if err := text.UnmarshalJSON(value); err != nil {
			t.Errorf("%s: %v", value, err)
		}
	})
}

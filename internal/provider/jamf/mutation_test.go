package jamf_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func testNow() time.Time { return time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC) }

// source is where an answer comes from.
type source struct {
	api string
	of  posture.DeviceType
}

func sources() []source {
	return []source{{"pro", posture.Computer}, {"pro", posture.MobileDevice}, {"classic", posture.Computer}, {"classic", posture.MobileDevice}}
}

// answers are the server's own, with every section.
func answers(t testing.TB) map[source][]byte {
	t.Helper()
	server, err := jamftest.New(jamftest.Options{Devices: full()})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	all := map[source][]byte{}
	var last []byte
	server.Fail(vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
		last = bytes.Clone(body)
		return body
	}}, lookupEndpoints()...)
	for _, s := range sources() {
		c := configOf(server, s.api)
		c.ReadFacts()
		provider, err := jamf.New(c)
		if err != nil {
			t.Fatal(err)
		}
		serial := map[posture.DeviceType]string{posture.Computer: macSerial, posture.MobileDevice: phoneSerial}[s.of]
		id, err := posture.ParseIdentifier(serial)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.Lookup(t.Context(), posture.Query{Identifier: id, Type: s.of, Facts: posture.AllFacts()}); err != nil {
			t.Fatal(err)
		}
		provider.Close()
		all[s] = last
	}
	return all
}

// believable insists that what is known of a record is what its answer says. The texts of an answer are all strings in it, and,
// in the Classic API, all numbers and truth values.
func believable(t *testing.T, s source, body []byte) {
	t.Helper()
	devices, _ := jamf.Records(s.api, s.of, body, testNow())
	if len(devices) == 0 {
		return
	}
	texts := textsOf(body, s.api == "classic")
	for _, device := range devices {
		if device.Type != s.of {
			t.Errorf("the type is %q, want %q", device.Type, s.of)
		}
		for name, value := range known(device) {
			switch value := value.(type) {
			case string:
				// The first three are words of our own. The identifier has to be that of the query.
				if !slices.Contains([]string{"device.type", "device.os", "device.ownership", "device.identifier"}, name) && !texts[value] {
					t.Errorf("%s is %q, which the answer does not say", name, value)
				}
			case []string:
				for _, group := range value {
					if !texts[group] || group == "" {
						t.Errorf("a group is %q, which the answer does not say", group)
					}
				}
			case posture.Version:
				if !texts[value.String()] {
					t.Errorf("%s is %s, which the answer does not say", name, value)
				}
			case time.Time:
				if value.Year() < 1990 || value.After(testNow().Add(24*time.Hour)) {
					t.Errorf("%s is %v", name, value)
				}
			case bool:
			case map[string]string:
				for attribute, text := range value {
					if attribute == "" || text == "" {
						t.Errorf("an attribute %q is %q", attribute, text)
					}
				}
			default:
				t.Errorf("%s is a %T", name, value)
			}
		}
	}
}

func textsOf(body []byte, converted bool) map[string]bool {
	texts := map[string]bool{}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return texts
		}
		switch token := token.(type) {
		case string:
			texts[token] = true
		case json.Number:
			texts[token.String()] = texts[token.String()] || converted
		case bool:
			word := strconv.FormatBool(token)
			texts[word] = texts[word] || converted
		}
	}
}

// everywhere calls visit with each way in which one value in an answer can be replaced by another.
func everywhere(value any, replacements []string, visit func()) {
	replace := func(put func(any), before any) {
		for _, text := range replacements {
			put(json.RawMessage(text))
			visit()
		}
		put(before)
		everywhere(before, replacements, visit)
	}
	switch value := value.(type) {
	case map[string]any:
		for name, before := range value {
			replace(func(v any) { value[name] = v }, before)
			delete(value, name)
			visit()
			value[name] = before
		}
	case []any:
		for i, before := range value {
			replace(func(v any) { value[i] = v }, before)
		}
	}
}

// TestMutatedAnswers: whatever stands in place of a value in an answer, no fact becomes known with what Jamf did not say, and
// nothing panics.
func TestMutatedAnswers(t *testing.T) {
	t.Parallel()
	replacements := []string{
		`null`, `true`, `""`, `"x"`, `7`, `1e999`, `15.10`, `{}`, `[]`, `[null]`, `[{"name":"a","values":[{}]}]`, `"9999-01-01T00:00:00Z"`,
	}
	for s, body := range answers(t) {
		t.Run(s.api+" "+string(s.of), func(t *testing.T) {
			t.Parallel()
			var answer any
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
			believable(t, s, body)
			n := 0
			everywhere(answer, replacements, func() {
				mutated, err := json.Marshal(answer)
				if err == nil {
					n++
					believable(t, s, mutated)
				}
			})
			if n < 500 {
				t.Errorf("only %d answers were made", n)
			}
		})
	}
}

// FuzzAnswers: an answer of any form is no panic, and no fact that it does not hold.
func FuzzAnswers(f *testing.F) {
	own := answers(f)
	for i, s := range sources() {
		f.Add(byte(i), own[s])
		for _, edit := range [][2]string{
			{`true`, `"true"`}, {`"2026`, `"0001`}, {`[`, `{`}, {`:"`, `:["`}, {`null`, `{}`}, {`"name":`, `"name":"x","name":`}, {`"15"`, `15.10`},
		} {
			f.Add(byte(i), bytes.ReplaceAll(own[s], []byte(edit[0]), []byte(edit[1])))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		believable(t, sources()[int(which)%len(sources())], body)
	})
}

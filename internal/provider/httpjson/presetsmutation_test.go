package httpjson_test

import (
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson"
)

// An answer about a device, changed in one place, is never "not found": each member is removed, and replaced by a value of
// each type. Two changes are no change of form: a list of no records, and a record of another device.
func TestChangedAnswersAreNeverNotFound(t *testing.T) {
	t.Parallel()
	lists := map[string]string{
		"simplemdm@1": "/data", "snipeit@1": "/rows", "netbox@1": "/results", "jumpcloud@1": "/results", "kolide@1": "/data", "workspaceone@1": "",
	}
	for preset, list := range lists {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			s := readSample(t, filepath.Join("testdata", "presets", preset, "found.http"))
			c := readSection(t, "preset: "+preset+"\nbase_url: https://127.0.0.1\n"+sections()[preset], "hunter2")
			tried := 0
			mutate(t, s.answers[0].body, func(place, change string, changed []byte) {
				tried++
				_, err := c.Offline(httpjson.Sample{Status: s.answers[0].status, Body: changed}).
					Lookup(t.Context(), posture.Query{Identifier: mustParse(t, s.identifier), Facts: posture.MustFacts("device.managed")})
				other := strings.Contains(strings.ToLower(place), "/serial") && change == `"x"`
				if errors.Is(err, posture.ErrNotFound) && !other && (place != list || change != "[]") {
					t.Errorf("%s, %s: not found", place, change)
				}
			})
			if tried < 100 {
				t.Errorf("%d changes were tried", tried)
			}
		})
	}
}

// mutate calls try with every change of a JSON value in one place.
func mutate(t *testing.T, content []byte, try func(place, change string, changed []byte)) {
	t.Helper()
	var root any
	if err := json.Unmarshal(content, &root); err != nil {
		t.Fatal(err)
	}
	send := func(place, change string) {
		changed, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		try(place, change, changed)
	}
	values := map[string]any{
		"null": nil, "7": 7, "true": true, "false": false, `"x"`: "x", `""`: "", "[]": []any{}, "{}": map[string]any{}, "[null]": []any{nil}, "[{}]": []any{map[string]any{}},
	}
	// Each place is changed, and put back.
	var walk func(place string, value any, set func(any))
	walk = func(place string, value any, set func(any)) {
		for change, other := range values {
			set(other)
			send(place, change)
		}
		set(value)
		switch value := value.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(value)) {
				member := value[name]
				delete(value, name)
				send(place+"/"+name, "removed")
				value[name] = member
				walk(place+"/"+name, member, func(v any) { value[name] = v })
			}
		case []any:
			for i, element := range value {
				walk(place+"/"+strconv.Itoa(i), element, func(v any) { value[i] = v })
			}
		}
	}
	walk("", root, func(v any) { root = v })
}

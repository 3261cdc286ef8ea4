package file_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/provider/file"
)

// Facts are no part of the data; without a policy they stay what they were, with a warning.
func TestFactsAndData(t *testing.T) {
	t.Parallel()
	const (
		columns = "Identifier,device.os,team,user.department,\"job title\",device.groups\nC02,macOS,blue,R&D,Lead,a;b\n\"C03\",,\"red, green\",\"\",,\"\"\n"
		list    = `{"devices":[{"identifier":"C02","facts":{"device":{"os":"macOS"}},"data":{"team":"blue"}},{"identifier":"C03","facts":{}},{"identifier":"C04","data":{"facts":1}},{"identifier":"C05","facts":5}]}`
	)
	for kind, test := range map[string]struct {
		content      string
		read, unread map[string]string // the data
		warnings     []string          // of those that are not read
	}{
		"csv": {
			columns,
			map[string]string{"C02": `{"team":"blue","job title":"Lead"}`, "C03": `{"team":"red, green","job title":""}`},
			map[string]string{
				"C02": `{"device.os":"macOS","team":"blue","user.department":"R&D","job title":"Lead","device.groups":"a;b"}`,
				"C03": `{"device.os":"","team":"red, green","user.department":"","job title":"","device.groups":""}`,
			},
			[]string{"inventory PATH: line 1: facts are read only with POLICY_PATH; without it these columns are data: device.os, user.department, device.groups"},
		},
		"json": {
			list,
			map[string]string{"C02": `{"team":"blue"}`, "C03": `{}`, "C04": `{"facts":1}`},
			map[string]string{"C02": `{"team":"blue"}`, "C03": `{}`, "C04": `{"facts":1}`, "C05": `{}`},
			[]string{
				"inventory PATH: devices[1], devices[3]" + strayMembers,
				`inventory PATH: devices[0], devices[1], devices[3]: the member "facts" is read only with POLICY_PATH, and ignored without it`,
			},
		},
	} {
		unread, warnings := loaded(t, kind, test.content)
		wantLines(t, kind+", warnings", warnings, test.warnings)
		for id, want := range test.unread {
			wantData(t, unread, id, want)
		}
		p, warnings := judged(t, kind, strings.Replace(test.content, `,{"identifier":"C05","facts":5}`, "", 1))
		wantLines(t, kind+", warnings with a policy", warnings, nil)
		for id, want := range test.read {
			wantData(t, p, id, want)
			if got := record(t, p, id, posture.AllFacts()|posture.Document).Data; string(got) != want {
				t.Errorf("%s: with all facts, the data of %s is %s, want %s", kind, id, got, want)
			}
		}
	}
	p, _ := judged(t, "csv", columns)
	if found, _, err := p.Check(t.Context()); err != nil || !strings.HasSuffix(found, `, with the columns team, "job title", with facts: device.os, user.department, device.groups`) {
		t.Errorf("Check() = %q, %v, want the columns and the facts", found, err)
	}
}

// Every other column, and every member of data, is an attribute. What the facts say of an attribute counts more.
func TestAttributes(t *testing.T) {
	t.Parallel()
	for kind, test := range map[string]struct {
		content string
		want    map[string]string
	}{
		"csv": {
			"Identifier,team,device.os,\"job title\",empty,n,list\nC02,blue,macOS,\" Lead, \"\"R&D\"\"\",,1.10,\"[1, 2]\"\n",
			map[string]string{"team": "blue", "job title": ` Lead, "R&D"`, "n": "1.10", "list": "[1, 2]"},
		},
		"json": {
			`{"devices":[{"identifier":"C02","facts":{"device":{"attributes":{"team":"green","extra":true,"gone":null,"both":[ "a" ,1]}}},
				"data":{"team":"blue","s":"Zo\u00eb","n":1.10,"big":12345678901234567890,"yes":true,"no":false,"null":null,"empty":"","gone":"x",
				"list":[ 1, "two" , null ],"object":{ "a" : { "b" : 1 } },"":"unnamed"}}]}`,
			map[string]string{
				"team": "green", "extra": "true", "both": `["a",1]`, "s": "Zoë", "n": "1.10", "big": "12345678901234567890", "yes": "true", "no": "false",
				"list": `[1,"two",null]`, "object": `{"a":{"b":1}}`, "": "unnamed",
			},
		},
	} {
		p, _ := judged(t, kind, test.content)
		got, ok := record(t, p, "C02", posture.MustFacts("device.attributes")).Facts.Attributes.Get()
		if !ok || !maps.Equal(got, test.want) {
			t.Errorf("%s: the attributes are %q, %v, want %q", kind, got, ok, test.want)
		}
		if _, ok := record(t, p, "C02", posture.WithoutPolicy()).Facts.Attributes.Get(); ok {
			t.Errorf("%s: the attributes are known, and were not asked for", kind)
		}
	}
}

// A list of groups without a name says that there are none; an empty cell says nothing.
func TestGroupsOfACell(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string][]string{
		"a": {"a"}, "a;b": {"a", "b"}, "a; b\t;": {"a", " b\t"}, "a;b ;c": {"a", "b ", "c"}, ";;a;;": {"a"}, "a b;c": {"a b", "c"}, "A;a": {"A", "a"}, ";": {}, ";;": {},
		"[]": {}, `["a;b", "=c", "["]`: {"a;b", "=c", "["}, `["a","a"]`: {"a", "a"}, "'=a;b": {"=a", "b"}, `'["a"]`: {"a"}, "a;[b": {"a", "[b"},
	} {
		p, warnings := judged(t, "csv", asCell("device.groups", cell))
		if slices.ContainsFunc(want, func(name string) bool { return strings.TrimSpace(name) != name }) {
			wantLines(t, "warnings of "+cell, warnings, []string{"inventory PATH: line 2: a group begins or ends with a space, which is part of its name; write semicolons without a space after them"})
		} else {
			wantLines(t, "warnings of "+cell, warnings, nil)
		}
		wantFacts(t, cell, record(t, p, "C02", posture.MustFacts("device.groups")), map[string]any{"device.groups": want})
	}
	p, _ := judged(t, "json", asMember("device.groups", "[]"))
	wantFacts(t, "[]", record(t, p, "C02", posture.MustFacts("device.groups")), map[string]any{"device.groups": []string{}})
}

// A version that is none, and a time that cannot be true, are unknown, with a warning.
func TestOddValues(t *testing.T) {
	t.Parallel()
	const (
		oddVersion = `: a version that cannot be read is unknown; accepted: one to four numbers, such as "15.4.1"`
		oddTime    = ": a time before 1990, or more than a day in the future, is unknown"
	)
	now := time.Now()
	for _, test := range []struct {
		fact, value string
		warning     string
	}{
		{"device.os_version", "13.4.1 (a)", oddVersion},
		{"device.os_version", "1.2.3.4.5", oddVersion},
		{"device.os_version", "2147483648", oddVersion},
		{"device.os_version", " 15", oddVersion},
		{"device.last_seen", "0001-01-01T00:00:00Z", oddTime},
		{"device.last_seen", "1970-01-01T00:00:00Z", oddTime},
		{"device.enrolled_at", "1989-12-31T23:59:59Z", oddTime},
		{"device.last_seen", now.Add(25 * time.Hour).Format(time.RFC3339), oddTime},
		{"device.last_seen", "1990-01-01T00:00:00Z", ""},
		{"device.last_seen", now.Add(23 * time.Hour).Format(time.RFC3339), ""},
	} {
		quoted, err := json.Marshal(test.value)
		if err != nil {
			t.Fatal(err)
		}
		for kind, content := range map[string]string{"line 2": asCell(test.fact, test.value), "devices[0]": asMember(test.fact, string(quoted))} {
			p, warnings := judged(t, map[bool]string{true: "csv", false: "json"}[kind == "line 2"], content)
			warnings = slices.DeleteFunc(warnings, func(w string) bool { return strings.HasSuffix(w, leadingSpaces) })
			var want []string
			if test.warning != "" {
				want = []string{"inventory PATH: " + kind + test.warning}
			}
			wantLines(t, "warnings of "+content, warnings, want)
			got := known(record(t, p, "C02", posture.MustFacts(test.fact)))
			if _, ok := got[test.fact]; ok != (test.warning == "") {
				t.Errorf("%s: %s is known: %v", content, test.fact, ok)
			}
		}
	}
}

// A reload replaces the facts; one with a fault keeps them.
func TestReloadOfFacts(t *testing.T) {
	t.Parallel()
	c := written(t, "csv", "Identifier,device.managed,device.os_version\nC02,false,15.4\n")
	c.ReadFacts()
	p, _, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(content string) (posture.Loaded, error) {
		if err := os.WriteFile(string(c.Path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p.Reload()
	}
	asked := posture.MustFacts("device.os_version", "device.groups")
	before := map[string]any{"device.managed": false, "device.os_version": version(t, "15.4")}
	wantFacts(t, "at first", record(t, p, "C02", asked), before)
	if _, err := reload("Identifier,device.managed\nC02,no\n"); err == nil {
		t.Error("a fault in a fact was accepted")
	}
	wantFacts(t, "after a fault", record(t, p, "C02", asked), before)
	for content, want := range map[string]map[string]any{
		"Identifier,device.groups\nC02,Staff\n": {"device.groups": []string{"Staff"}},
		"Identifier,team\nC02,blue\n":           {},
	} {
		next, err := reload(content)
		if err != nil {
			t.Fatal(err)
		}
		next.Apply()
		wantFacts(t, content, record(t, p, "C02", asked), want)
	}
}

// The catalogue of providers passes on whether a policy may read facts.
func TestOpenWithFacts(t *testing.T) {
	t.Parallel()
	c := written(t, "csv", "Identifier,device.os\nC02,macOS\n")
	environ := map[string]string{"FILE_PATH": string(c.Path), "FILE_TYPE": "csv"}
	for facts, data := range map[bool]string{true: `{}`, false: `{"device.os":"macOS"}`} {
		opened, warnings, err := provider.Open("file", environ, facts)
		if err != nil || (len(warnings) == 0) != facts {
			t.Fatalf("Open, with facts %v: %q, %v", facts, warnings, err)
		}
		if got := record(t, opened.Provider, "C02", posture.Document|posture.AllFacts()); string(got.Data) != data {
			t.Errorf("with facts %v: the data is %s, want %s", facts, got.Data, data)
		}
	}
}

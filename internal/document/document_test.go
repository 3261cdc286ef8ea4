package document_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/document"
)

// shape is a document with name (text), flag (bool), list (of texts), map (of names) and rule (an expression).
func shape() *document.Shape {
	text := &document.Shape{Type: document.Text}
	return document.MapOf(
		document.Required("name", &document.Shape{Type: document.Text, Accepted: "a name"}),
		document.Optional("flag", &document.Shape{Type: document.Bool}),
		document.Optional("list", document.ListOf(text)),
		document.Optional("map", &document.Shape{Type: document.Map, Members: text}),
		document.Optional("rule", &document.Shape{Type: document.Text, Expression: true, Accepted: "an expression"}),
	)
}

// read walks a document as a reader would, and returns what it has read.
func read(t *testing.T, content string) (document.Faults, map[string]string) {
	t.Helper()
	d, root, err := document.Parse("f.yaml", []byte(content), shape())
	if err != nil {
		faults, ok := err.(document.Faults) //nolint:errorlint // Parse's own type, as it returns it
		if !ok {
			t.Fatalf("%q: %v", content, err)
		}
		return faults, nil
	}
	got := map[string]string{}
	m := root.Mapping()
	got["name"], _ = m.Get("name").Text()
	if on, ok := m.Get("flag").Bool(); ok {
		got["flag"] = fmt.Sprint(on)
	}
	items, _ := m.Get("list").List()
	for _, item := range items {
		text, _ := item.Text()
		got["list"] += text + ","
	}
	for name, v := range m.Get("map").Names() {
		text, _ := v.Text()
		got["map"] += name + "=" + text + ","
	}
	if rule := m.Get("rule"); rule.IsSet() {
		text, _ := rule.Text()
		if line := strings.Count(text[:max(strings.Index(text, "WRONG"), 0)], "\n"); strings.Contains(text, "WRONG") {
			before := text[:strings.Index(text, "WRONG")]
			rule.FaultIn(line+1, len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))+1, "", "here")
		}
	}
	return d.Faults(), got
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ content, want string }{
		{"name: a\nnema: b\n", `f.yaml:2:1: nema: unknown key; did you mean name?; accepted: name, flag, list, map, rule`},
		{"flag: true\n", `f.yaml:1:1: name: it is missing; accepted: a name`},
		{"name: 15.10\n", `f.yaml:1:7: name: it is a number; accepted: a name; put it in quotation marks`},
		{"name: yes\n", `f.yaml:1:7: name: in other versions of YAML it is true or false; accepted: a name; put it in quotation marks`},
		{"name: true\n", `f.yaml:1:7: name: it is true or false`},
		{"name: 2026-01-01\n", `f.yaml:1:7: name: it is a day or a time`},
		{"name: ~\n", `f.yaml:1:7: name: it has no value`},
		{"name:\n", `name: it has no value`},
		{"name: [a]\n", `f.yaml:1:7: name: it is a list; accepted: a name`},
		{"name: {a: b}\n", `f.yaml:1:7: name: it is a mapping; accepted: a name`},
		{"name: a\nflag: yes\n", `f.yaml:2:7: flag: it is neither true nor false; accepted: true or false`},
		{"name: a\nflag: 'true'\n", `f.yaml:2:7: flag: it is neither true nor false`},
		{"name: a\nflag: True\n", `f.yaml:2:7: flag: it is neither true nor false`},
		{"name: a\nlist: a\n", `f.yaml:2:7: list: it is text; accepted: a list`},
		{"name: a\nlist: [a, 1]\n", `f.yaml:2:11: list[1]: it is a number`},
		{"name: a\nmap: [a]\n", `f.yaml:2:6: map: it is a list; accepted: a mapping`},
		{"name: a\nmap:\n  x: a\n  x: b\n", `f.yaml:4:3: map.x: duplicate key; accepted: each key once`},
		{"name: a\nname: b\n", `f.yaml:2:1: name: duplicate key`},
		{"name: !x\n", `f.yaml:1:7: name: it begins with a tag; accepted: no tags; an expression that begins with ! in quotation marks`},
		{"name: !!str 1\n", `f.yaml:1:7: name: it begins with a tag`},
		{"name: &a b\nmap: {<<: *a}\n", `f.yaml:2:7: map: merge keys are not supported`},
		{"name: a\n[a]: b\n", `f.yaml:2:1: a key is no text`},
		{"- a\n", `f.yaml:1:1: it is a list; accepted: a mapping`},
		{"a", `f.yaml:1:1: it is text; accepted: a mapping`},
		{"", `f.yaml:1:1: the file is empty; accepted: a YAML document`},
		{"# only this\n", `f.yaml:1:1: the file is empty`},
		{"name: a\n---\nname: b\n", `f.yaml:2:1: a second document begins here; accepted: one document`},
		{"name: a\n---\n", `second document`},
		{"name: *a\n", `f.yaml:1:7: unknown anchor`},
		{"name: 'a\n", `this is not YAML`},
		{"name: a: b\n", `f.yaml:1:8: this is not YAML: mapping values are not allowed in this context; accepted: an expression or other text that holds ": " in quotation marks`},
		{"name: \"a\" || b\n", `accepted: an expression that begins with a quotation mark in quotation marks of the other kind`},
		{"name: a\n\tb: c\n", `f.yaml:2:`},
		{"name: \xff\n", `f.yaml:1:7: it is not UTF-8; accepted: UTF-8`},
		{"name: a\x00\n", `f.yaml`},
		{"\xff\xfen\x00a\x00", `not UTF-8`},
		{"name: &a [*a]\n", `f.yaml:1:11: an alias stands for a value that it is in itself`},
		{"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n", `f.yaml:5:29: the file has more than 100000 values; accepted: at most 100000, with those that aliases stand for`},
		{"name: " + strings.Repeat("a", document.MaxBytes), `f.yaml:1:1: it has more than 1048576 bytes; accepted: at most 1048576`},
		{"name: ! a\n", `f.yaml:1:7: name: it begins with a tag`},
		{"name: &x ! a\n", `f.yaml:1:7: name: it begins with a tag`},
		{"name: !\n  a\n", `name: it begins with a tag`},
		{"name: ! 'a'\n", `f.yaml:1:7: name: it begins with a tag`},
		{"name: ! [a]\n", `f.yaml:1:7: name: it begins with a tag`},
		{"name: ! &x a\n", `f.yaml:1:7: name: it begins with a tag`},
		{"15.10: a\n", `f.yaml:1:1: 15.10: a key is a number; accepted: text; put it in quotation marks`},
		{"name: a\nmap: {yes: b}\n", `f.yaml:2:7: map.yes: in other versions of YAML a key is true or false; accepted: text; put it in quotation marks`},
		{"name: off\nmap: {On: b}\n", `f.yaml:1:7: name: in other versions of YAML it is true or false`},
		{"name: a\nmap: {~: b}\n", `f.yaml:2:7: map: a key is missing; accepted: text`},
		{"name: a\nmap: {!x y: b}\n", `f.yaml:2:7: map.y: a key begins with a tag`},
		{"name: a\nmap: {*y : b}\n", `unknown anchor`},
		{"~\n", `f.yaml:1:1: it has no value`},
		{"name: a\x01\n", `f.yaml:1:8: a control character, which YAML does not accept`},
		{"name: 'a\n", `f.yaml:2:1: this is not YAML`},
		{"name: a\nlist: [a,\n  b\n", `f.yaml:4:1: this is not YAML`},
		// What is an expression to us, and something else to YAML.
		{"rule: device.name == 'x' ? 'a' : 'b'\n", `f.yaml:1:32: this is not YAML: mapping values are not allowed in this context; accepted: an expression or other text that holds ": " in quotation marks`},
		{"{rule: x ? 'a' : 'b'}\n", `accepted: an expression or other text that holds ": " in quotation marks`},
		{"name: a\nrule:\n  x ? 'a' : 'b'\n", `f.yaml:3:3: rule: it is a mapping; accepted: an expression; one that holds ": " or begins with { in quotation marks`},
		{"rule: 'a' in b\n", `f.yaml:1:11: this is not YAML: did not find expected key; accepted: an expression that begins with a quotation mark in quotation marks of the other kind`},
		{"- {name: a, rule: \"a\" in b}\n", `accepted: an expression that begins with a quotation mark in quotation marks of the other kind`},
		{"rule: !a || b\n", `accepted: an expression that begins with ! in quotation marks`},
		{"rule: !a && b\n", `rule: it begins with a tag; accepted: no tags; an expression that begins with ! in quotation marks`},
		{"rule: !(a) && b\n", `an expression that begins with ! in quotation marks`},
		{"rule: [1, 2].exists(x, x == 1)\n", `accepted: an expression that begins with [ in quotation marks`},
		{"name: a\nrule: [1, 2]\n", `f.yaml:2:7: rule: it is a list; accepted: an expression; one that begins with [ in quotation marks`},
		{"rule: {'a': 1}.a\n", `accepted: an expression that begins with { in quotation marks`},
		// Indentation.
		{"name: a\nmap:\n\ta: b\n", `f.yaml:3:1: this is not YAML: found character that cannot start any token; accepted: spaces in place of tabs`},
		{"- name: a\n\trule: b\n", `f.yaml:2:1: this is not YAML: found a tab character that violates indentation; accepted: spaces in place of tabs`},
		{"name: \"a\nlist:\n  - rule: x == \"b\"\n", `f.yaml:3:17: this is not YAML: did not find expected key; accepted: quotation marks in pairs`},
		{"list:\n  - a\n - b\n", `accepted: the keys of a mapping in one column, and so the items of a list`},
		{"- name: a\n  list: b\n    flag: c\n", `f.yaml:3:9: this is not YAML: mapping values are not allowed in this context; accepted: the keys of a mapping in one column, and so the items of a list`},
		{"- name: a\n  rule: b\n flag: c\n", `f.yaml:3:2: this is not YAML: did not find expected '-' indicator; accepted: the keys of a mapping in one column, and so the items of a list`},
		{"map:\n  name: a\n\u00a0 flag: true\n  a: b\n", `f.yaml:3:1: this is not YAML: a character that looks like a space and is none (U+00A0) before the first word; accepted: spaces`},
		// Places inside of a text.
		{"name: a\nrule: one WRONG two\n", `f.yaml:2:11: rule: here`},
		{"name: a\nrule: 'it''s WRONG'\n", `f.yaml:2:14: rule: here`},
		{"name: a\nrule: \"a\\\"b WRONG\"\n", `f.yaml:2:13: rule: here`},
		{"name: a\nrule: \"a\\n\\tn WRONG\"\n", `f.yaml:2:15: rule: here`},
		{"name: a\nrule: \"\\x57\\u0057W\\U00000057 W\\/WRONG\"\n", `f.yaml:2:33: rule: here`},
		{"name: a\nrule: \"a\\\n  b WRONG\"\n", `f.yaml:3:5: rule: here`},
		{"name: a\nrule: 'a''''b''WRONG'\n", `f.yaml:2:16: rule: here`},
		{"name: &a 'x WRONG'\nrule: *a\n", `f.yaml:1:13: rule: here`},
		{"name: a\nrule: \"a\tWRONG\"\n", `f.yaml:2:10: rule: here`},
		{"name: a\nrule: |\n    one\n    zwölf WRONG\n", `f.yaml:4:11: rule: here`},
		{"name: a\nrule: >-\n  one\n  two\n  WRONG three\n", `f.yaml:5:3: rule: here`},
		{"name: a\nrule: one\n  two\n  WRONG\n", `f.yaml:4:3: rule: here`},
		{"\ufeffname: a\r\nrule: x WRONG\r\n", `f.yaml:2:9: rule: here`},
	} {
		faults, _ := read(t, c.content)
		if !strings.Contains(faults.Error(), c.want) {
			t.Errorf("%.60q:\n got  %v\n want %s", c.content, faults, c.want)
		}
	}
}

// All faults are reported in one go, in the order of the file, and no value is repeated.
func TestAllFaults(t *testing.T) {
	t.Parallel()
	faults, _ := read(t, "nema: hunter2\nflag: hunter2\nlist: hunter2\nmap: hunter2\nlist: [hunter2, 1]\n")
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = fmt.Sprintf("%d:%d", f.Line, f.Column)
	}
	if want := []string{"1:1", "1:1", "2:7", "3:7", "4:6", "5:1"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q:\n%v", lines, want, faults)
	}
	if strings.Contains(faults.Error(), "hunter2") {
		t.Errorf("a value is repeated:\n%v", faults)
	}
	many := "name: a\n"
	for i := range 150 {
		many += fmt.Sprintf("x%d: 1\n", i)
	}
	if faults, _ := read(t, many); strings.Count(faults.Error(), "\n") != 100 || !strings.HasSuffix(faults.Error(), "and 50 more") {
		t.Errorf("%d lines", strings.Count(faults.Error(), "\n")+1)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	faults, got := read(t, "name: &n 'yes'\nflag: true\nlist: [*n, \"1\"]\nmap: {b: \"2026-01-01\", a: x, y: n}\n")
	if len(faults) > 0 || got["name"] != "yes" || got["flag"] != "true" || got["list"] != "yes,1," || got["map"] != "b=2026-01-01,a=x,y=n," {
		t.Errorf("%v, %v", got, faults)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("name: a\nlist: [a, {b: c}]\nmap: &x {a: *x}\n")
	f.Add("name: |\n a\n b\nrule: >\n x WRONG\n")
	f.Fuzz(func(t *testing.T, content string) {
		faults, _ := read(t, content)
		for _, fault := range faults {
			if fault.File != "f.yaml" || fault.Line < 0 || fault.Column < 0 || fault.Text == "" {
				t.Errorf("%+v", fault)
			}
		}
	})
}

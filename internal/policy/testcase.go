package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// Test is a case of the section "tests": what the inventories answer, and what the policy must say about it.
type Test struct {
	Name  string
	Value document.Value // where it is in the file

	evidence *posture.Evidence
	want     expectation
}

// expectation is what a test says of the result; nil is not compared.
type expectation struct {
	allow                     *bool
	code                      *string
	unmet, wouldDeny, unknown *[]string
	data                      map[string]any
	hasData                   bool
}

// testTime is when the requests of tests come, unless they say otherwise: no result depends on the day.
func testTime() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

func (r *Reader) readTests(v document.Value, p *Policy) (tests []Test) {
	items, _ := v.List()
	seen := map[string]bool{}
	for _, item := range items {
		m := item.Mapping()
		test := Test{Value: item}
		if name, ok := m.Get("name").Text(); ok {
			if test.Name = name; seen[name] {
				m.Get("name").Fault("a name for each test", "a test before has the same name")
			}
			seen[name] = true
		}
		test.evidence = r.readEvidence(m, p)
		test.want = readExpectation(m, p)
		tests = append(tests, test)
	}
	return tests
}

// readEvidence reads who asks, and what the inventories answer.
func (r *Reader) readEvidence(m document.Mapping, p *Policy) *posture.Evidence {
	e := &posture.Evidence{Now: testTime(), Reference: posture.NoReference, Deciding: &posture.Device{}}
	if v := m.Get("now"); v.IsSet() {
		if now, ok := readTime(v, testTime()); ok {
			e.Now = now
		}
	}
	if len(p.Inventories) > 0 {
		e.Inventory = p.Inventories[0]
	}
	if v := m.Get("inventory"); v.IsSet() {
		switch name, ok := v.Text(); {
		case ok && slices.Contains(p.Inventories, name):
			e.Inventory = name
		case ok && len(p.Inventories) > 0:
			v.Unknown("inventory", name, p.Inventories, strings.Join(p.Inventories, ", "))
		}
	}
	e.Deciding.Facts.Managed = posture.Known(true)
	readFacts(m.Get("device"), "device", e.Now, e.Deciding)
	readFacts(m.Get("user"), "user", e.Now, e.Deciding)
	for _, name := range slices.Concat(p.Inventories, p.AlsoIn) {
		e.Put(posture.Answer{Inventory: name})
	}
	for name, v := range m.Get("records").Names() {
		others := slices.DeleteFunc(slices.Concat(p.Inventories, p.AlsoIn), func(other string) bool { return other == e.Inventory })
		if name == e.Inventory {
			v.Key().Fault(orNo(others), "what the inventory that decides knows is in device and user of the test")
			continue
		}
		if !slices.Contains(others, name) {
			v.Key().Unknown("inventory", name, others, orNo(others))
			continue
		}
		record := &posture.Device{Facts: posture.Facts{Managed: posture.Known(true)}}
		of := v.Mapping()
		readFacts(of.Get("device"), "device", e.Now, record)
		readFacts(of.Get("user"), "user", e.Now, record)
		e.Put(posture.Answer{Inventory: name, Record: record})
	}
	e.Put(posture.Answer{Inventory: e.Inventory, Record: e.Deciding})
	r.readRequest(m.Get("request"), e.Now, &e.Request)
	return e
}

func orNo(others []string) string {
	if len(others) == 0 {
		return "no records, for the policy asks no other inventory"
	}
	return strings.Join(others, ", ")
}

func (r *Reader) readRequest(v document.Value, now time.Time, to *posture.Request) {
	m := v.Mapping()
	to.Door, _ = m.Get("door").Text()
	to.Kind, _ = m.Get("kind").Text()
	to.Mode, _ = m.Get("mode").Text()
	to.KeyType, _ = m.Get("key_type").Text()
	caller := m.Get("caller")
	if to.Caller, _ = caller.Text(); caller.IsSet() && r.Callers != nil && !slices.Contains(r.Callers, to.Caller) && (r.MoreCallers == nil || !r.MoreCallers(to.Caller)) {
		caller.Unknown("caller", to.Caller, r.Callers, strings.Join(r.Callers, ", "))
	}
	to.Provisioner, _ = m.Get("provisioner").Text()
	to.Identifier, _ = m.Get("identifier").Text()
	to.KeyBits, _ = m.Get("key_bits").Whole()
	if v := m.Get("names"); v.IsSet() {
		to.Names, _ = textsOf(v)
	}
	r.readParts(m, now, to)
}

func readExpectation(m document.Mapping, p *Policy) (want expectation) {
	if v := m.Get("allow"); v.IsSet() {
		if allow, ok := v.Bool(); ok {
			want.allow = &allow
		}
	}
	if v := m.Get("code"); v.IsSet() {
		if code, ok := v.Text(); ok {
			want.code = &code
		}
	}
	for key, list := range map[string]**[]string{"unmet": &want.unmet, "would_deny": &want.wouldDeny, "unknown": &want.unknown} {
		*list = readRuleNames(m.Get(key), p)
	}
	if v := m.Get("data"); v.IsSet() {
		want.data, want.hasData = map[string]any{}, true
		for name, member := range v.Names() {
			want.data[name] = member.Any()
		}
	}
	if want.allow == nil && want.code == nil && want.unmet == nil && want.wouldDeny == nil && want.unknown == nil && !want.hasData {
		m.Fault("allow, code, unmet, would_deny, unknown, data", "the test expects nothing")
	}
	return want
}

func readRuleNames(v document.Value, p *Policy) *[]string {
	if !v.IsSet() {
		return nil
	}
	items, _ := v.List()
	names := []string{}
	known := make([]string, len(p.Rules))
	for i, r := range p.Rules {
		known[i] = r.Name
	}
	for _, item := range items {
		switch name, ok := item.Text(); {
		case ok && slices.Contains(known, name):
			names = append(names, name)
		case ok:
			item.Unknown("rule", name, known, cmp.Or(strings.Join(known, ", "), "no rule, for the policy has none"))
		}
	}
	return &names
}

// Run runs the test, and returns how the result differs from what it expects: nothing if it passes.
func (t Test) Run(p *Policy) (differences []string) {
	// Without the settings of the inventories: the environment may have them, and a test says the same everywhere.
	got := p.Authority(nil).Authorize(t.evidence)
	verdict := got.Verdict()
	differ := func(key string, got, want any) {
		differences = append(differences, fmt.Sprintf("%s is %v, want %v", key, got, want))
	}
	if t.want.allow != nil && *t.want.allow != got.Allowed() {
		differ("allow", got.Allowed(), *t.want.allow)
	}
	if t.want.code != nil && *t.want.code != string(got.Code()) {
		differ("code", orEmpty(string(got.Code())), *t.want.code)
	}
	for _, c := range []struct {
		key  string
		got  []string
		want *[]string
	}{{"unmet", verdict.Unmet, t.want.unmet}, {"would_deny", verdict.WouldDeny, t.want.wouldDeny}, {"unknown", verdict.Unknown, t.want.unknown}} {
		if c.want != nil && !slices.Equal(slices.Sorted(slices.Values(c.got)), slices.Sorted(slices.Values(*c.want))) {
			differ(c.key, c.got, *c.want)
		}
	}
	if t.want.hasData {
		want, err := json.Marshal(t.want.data)
		if document := orEmptyObject(got.Data()); err != nil || !sameJSON(want, document) {
			differ("data", string(document), string(want))
		}
	}
	if len(differences) > 0 && got.Reason() != "" {
		differences = append(differences, got.Reason())
	}
	return differences
}

// sameJSON compares values, not texts: 1 and 1.0 are one number.
func sameJSON(a, b []byte) bool {
	var one, other any
	return json.Unmarshal(a, &one) == nil && json.Unmarshal(b, &other) == nil && reflect.DeepEqual(one, other)
}

func orEmpty(code string) string {
	if code == "" {
		return "none"
	}
	return code
}

func orEmptyObject(data json.RawMessage) []byte {
	if data == nil {
		return []byte("{}")
	}
	return data
}

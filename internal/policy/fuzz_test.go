package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// withouts are copies of r: each lacks one fact, or one attribute, that r has.
func withouts(r *posture.Device) map[string]*posture.Device {
	all := map[string]*posture.Device{}
	for _, drop := range posture.Vocabulary() {
		if _, known := drop.Get(r); !known || drop.Name == "device.identifier" {
			continue
		}
		less := &posture.Device{Identifier: r.Identifier}
		for _, d := range posture.Vocabulary() {
			if value, known := d.Get(r); known && d.Name != drop.Name {
				d.Put(less, value)
			}
		}
		all[drop.Name] = less
	}
	attributes, _ := r.Facts.Attributes.Get()
	for name := range attributes {
		less, rest := *r, maps.Clone(attributes)
		delete(rest, name)
		less.Facts.Attributes = posture.Known(rest)
		all["device.attributes."+name] = &less
	}
	return all
}

// with is e with another answer of an inventory.
func with(e *posture.Evidence, a posture.Answer) *posture.Evidence {
	other := *e
	other.Answers = slices.Clone(e.Answers)
	other.Put(a)
	if a.Inventory == e.Inventory {
		other.Deciding = a.Record
	}
	return &other
}

// FuzzRules shows that no policy lets a device pass when an enforced rule is not met, and that to remove a fact changes no
// rule but to unknown, and never turns a refusal into an allow, unless a rule asks with has().
func FuzzRules(f *testing.F) {
	for seed := range byte(64) {
		bytes := make([]byte, 200)
		for i := range bytes {
			bytes[i] = byte(int(seed)*31+i*7+i*i*int(seed+1)) ^ seed
		}
		f.Add(bytes)
	}
	s, err := policy.NewScope("jamf", "owned", "down")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) { decideOne(t, s, input) })
}

func decideOne(t *testing.T, s *policy.Scope, input []byte) {
	t.Helper()
	c := &chooser{bytes: input}
	p, requirements := c.policy(t, s)
	e := &posture.Evidence{Now: time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC), Inventory: "jamf", Deciding: c.record()}
	if c.choose(2) == 1 {
		e.Request = posture.Request{Provisioner: c.of("x", "y"), KeyBits: 256, Names: []string{"x"}}
	}
	e.Answers = []posture.Answer{{Inventory: "jamf", Record: e.Deciding}, {Inventory: "owned", Record: c.record()}, {Inventory: "down", Err: posture.ErrAmbiguous}}
	if c.choose(6) == 5 {
		e.Put(posture.Answer{Inventory: "owned", Err: posture.ErrNotFound})
	}
	authority := p.Authority(requirements)
	before := authority.Authorize(e)
	holds(t, p, requirements, e, before)
	if owned := e.Answer("owned"); owned.Record != nil {
		// Where an inventory fails, has() of its record is unknown too.
		changes(t, p, authority, e, with(e, posture.Answer{Inventory: "owned", Err: posture.ErrAmbiguous}), "the inventory owned", false)
		for name, less := range withouts(owned.Record) {
			if name == "device.managed" && !slices.Contains(p.AlsoIn, "owned") || name != "device.managed" {
				changes(t, p, authority, e, with(e, posture.Answer{Inventory: "owned", Record: less}), name+" of owned", c.has)
			}
		}
	}
	for name, less := range withouts(e.Deciding) {
		changes(t, p, authority, e, with(e, posture.Answer{Inventory: "jamf", Record: less}), name, c.has)
	}
}

// policy makes a policy, and what the inventories require themselves.
func (c *chooser) policy(t *testing.T, s *policy.Scope) (*policy.Policy, map[string]posture.Requirements) {
	t.Helper()
	compile := func(text string) *policy.Condition {
		condition, faults := s.CompileCondition(text)
		if faults != nil && strings.Contains(faults.Error(), "it could cost") {
			condition, faults = s.CompileCondition("device.compliant")
		}
		if faults != nil {
			t.Fatalf("%s: %v", text, faults)
		}
		return condition
	}
	p := &policy.Policy{Name: "p", Inventories: []string{"jamf"}, ReportOnly: c.choose(8) == 7, AllowUnmanaged: c.choose(4) == 3}
	if c.choose(3) == 2 {
		p.AlsoIn = []string{"owned"}
	}
	requirements := map[string]posture.Requirements{"owned": {AllowUnmanaged: c.choose(2) == 1}}
	if c.choose(4) == 3 {
		requirements["jamf"] = posture.Requirements{Groups: posture.RequiredGroups(c.of("", "x"), c.of("", "y"))}
	}
	if c.choose(4) == 3 {
		requirements["owned"] = posture.Requirements{Groups: posture.RequiredGroups("x", "x")}
	}
	for i := range 1 + c.choose(3) {
		text := c.boolean(1 + c.choose(3))
		r := &policy.Rule{Name: fmt.Sprintf("r%d: %s", i, text), Require: compile(text), Code: "c", ReportOnly: c.choose(4) == 3}
		if c.choose(4) == 3 {
			r.When = compile(c.boolean(1))
		}
		if c.choose(6) == 5 {
			r.EnforcedFrom = time.Date(2026, 1, 10+c.choose(2), 0, 0, 0, 0, time.UTC)
		}
		p.Rules = append(p.Rules, r)
	}
	for i := range c.choose(3) {
		v, faults := s.CompileValue(c.text())
		if faults != nil {
			t.Fatal(faults)
		}
		p.Data = append(p.Data, policy.Datum{Name: string(rune('a' + i)), Value: v, Required: c.choose(2) == 1})
	}
	return p, requirements
}

// holds checks what an allow means.
func holds(t *testing.T, p *policy.Policy, requirements map[string]posture.Requirements, e *posture.Evidence, d posture.Decision) {
	t.Helper()
	if !d.Allowed() {
		if d.Code() == "" || d.Data() != nil {
			t.Errorf("a refusal with the code %q and the data %s", d.Code(), d.Data())
		}
		return
	}
	for i, o := range d.Verdict().Outcomes {
		r := p.Rules[i]
		result, _ := r.Require.Evaluate(e)
		applies := posture.Met
		if r.When != nil {
			applies, _ = r.When.Evaluate(e)
		}
		if enforced := !r.ReportOnly && !p.ReportOnly && !e.Now.Before(r.EnforcedFrom); enforced && applies != posture.Unmet && result != posture.Met {
			t.Errorf("allowed, though %s is %v: %s", r.Name, result, o.Reason)
		}
	}
	if managed, _ := e.Deciding.Facts.Managed.Get(); !managed && !p.AllowUnmanaged {
		t.Error("allowed, though not managed")
	}
	for _, name := range append([]string{"jamf"}, p.AlsoIn...) {
		record := e.Answer(name).Record
		if record == nil {
			t.Fatalf("allowed, though %s does not know it", name)
		}
		if managed, known := record.Facts.Managed.Get(); known && !managed && !p.AllowUnmanaged && !requirements[name].AllowUnmanaged {
			t.Errorf("allowed, though %s does not manage it", name)
		}
		groups, _ := record.Facts.Groups.Get()
		if group := requirements[name].Groups[record.Type]; group != "" && !p.ReportOnly && !slices.Contains(groups, group) {
			t.Errorf("allowed, though not in the group %s of %s", group, name)
		}
	}
	for _, datum := range p.Data {
		if datum.Required && slices.Contains(d.DataUnknown(), datum.Name) {
			t.Errorf("allowed without the required data %s", datum.Name)
		}
	}
}

// changes checks what may change where less is known.
func changes(t *testing.T, p *policy.Policy, authority posture.Policy, e, less *posture.Evidence, what string, has bool) {
	t.Helper()
	if has {
		return
	}
	for _, r := range p.Rules {
		before, _ := r.Require.Evaluate(e)
		if after, _ := r.Require.Evaluate(less); after != before && after != posture.Unknown {
			t.Errorf("%s is %v, and %v without %s", r.Name, before, after, what)
		}
	}
	if before, after := authority.Authorize(e), authority.Authorize(less); !before.Allowed() && after.Allowed() {
		t.Errorf("refused (%s), and allowed without %s", before.Reason(), what)
	}
}

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

// chooser makes choices of the bytes of a fuzz input.
type chooser struct {
	bytes []byte
	has   bool // has() was used
}

func (c *chooser) choose(n int) int {
	if len(c.bytes) == 0 {
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return int(b) % n
}

func (c *chooser) of(all ...string) string { return all[c.choose(len(all))] }

func (c *chooser) text() string {
	return c.of("device.name", "device.model", "user.department", `device.attributes["a"]`, `records.owned.device.name`, `"x"`,
		"string(device.os_version)", "device.identifier", "request.provisioner", "(device.name + user.department)", "device.name.lowerAscii()",
		"string(device.compliant)", "string(device.last_seen)", `records.owned.device.attributes["b"]`, `(device.managed ? device.name : device.model)`,
		`device.groups.join(",")`, `device.groups[0]`, `device.name.substring(1)`, `{"k": device.name}["k"]`, `string(device.groups.size())`,
		`[device.name, "y"][1]`, `device.name.replace("x", device.model)`)
}

// boolean makes an expression that is true or false.
func (c *chooser) boolean(depth int) string {
	if depth == 0 {
		return c.of("device.managed", "device.supervised", "device.compliant", "device.encrypted", "records.owned.found", "records.down.found", "true", "false",
			"records.owned.device.compliant", "records.down.device.managed")
	}
	switch c.choose(16) {
	case 0, 1:
		return "(" + c.boolean(depth-1) + " && " + c.boolean(depth-1) + ")"
	case 2, 3:
		return "(" + c.boolean(depth-1) + " || " + c.boolean(depth-1) + ")"
	case 4, 5:
		return "!" + "(" + c.boolean(depth-1) + ")"
	case 6:
		return "(" + c.boolean(depth-1) + " ? " + c.boolean(depth-1) + " : " + c.boolean(depth-1) + ")"
	case 7:
		return "(" + c.boolean(depth-1) + c.of(" == ", " != ", " < ", " >= ") + c.boolean(depth-1) + ")"
	case 8:
		return "(" + c.text() + c.of(" == ", " != ", " < ", " >= ") + c.text() + ")"
	case 9:
		return "(" + c.of(`device.os == "macOS"`, `device.os in ["iOS", "macOS"]`, `device.os_version.atLeast("15.4")`, `device.os_version.below("15.4")`, `device.os_version != records.owned.device.os_version`,
			`device.last_seen > now - days(7)`, `device.enrolled_at < device.last_seen`, `device.last_seen != device.enrolled_at`, `now - device.last_seen < days(3)`, `device.last_seen in [device.enrolled_at, now]`,
			`device.os_version.atLeast(device.name)`, `device.os_version in [records.owned.device.os_version]`, `device.last_seen.getDayOfWeek() != device.enrolled_at.getDayOfWeek("Europe/Berlin")`,
			`timestamp(device.name) < now`, `device.type == "computer"`, `request.key_bits >= 256`, `request.names.all(n, n != device.name)`, `records.owned.device.ownership != "personal"`, `!(device.ownership in ["personal"])`,
			`inventory == "jamf"`) + ")"
	case 10, 11:
		list := c.of("device.groups", "records.owned.device.groups", "(device.groups + records.owned.device.groups)", "request.names", "[device.name, user.department]",
			`device.groups.filter(f, f != device.model)`, `device.groups.map(m, m + user.position)`)
		return "(" + list + c.of(` == []`, ` != []`, ".size() == 0", ".size() < 2", ".filter(g, g == user.department) == []", ".filter(g, g != device.name).size() == 0",
			".map(g, device.compliant) == []", `.exists_one(g, g == "x")`, `.exists_one(g, g == device.model)`, `.all(g, g != "x")`, `.all(g, g != user.department)`,
			`.exists(g, g == "x")`, `.exists(g, g.startsWith(device.name))`, `.all(g, g.matches("^x"))`, " == device.groups", `.exists(g, `+c.boolean(0)+`)`, `.all(g, !(`+c.boolean(0)+`))`) + ")"
	case 12:
		return "(" + c.of(`"x"`, "device.name", "user.department") + " in " + c.of("device.groups", "records.owned.device.groups", `["x", device.model]`, "[device.name]", "request.names", `{device.name: 1}`) + ")"
	case 13, 14:
		return "(" + c.text() + c.of(`.startsWith("x")`, `.matches("^x*$")`, `.size() > 0`, ` in ["x", "y"]`, `.size() == 0`, `.endsWith(device.name)`, `.contains("y")`, `.indexOf("z") < 0`) + ")"
	default:
		c.has = true
		return c.of("has(device.name)", "!has(device.compliant)", `has(device.attributes["a"])`, "!has(records.owned.device.name)", "has(records.down.device.name)", "has(request.names)")
	}
}

// record makes a record some of whose facts are known.
func (c *chooser) record() *posture.Device {
	r := &posture.Device{Identifier: "C02XK1JKLVCG"}
	for _, d := range posture.Vocabulary() {
		if c.choose(3) == 0 {
			continue
		}
		switch d.Type {
		case posture.TextFact:
			if d.Words != nil {
				d.Put(r, d.Words[c.choose(len(d.Words))])
			} else if d.Name != "device.identifier" {
				d.Put(r, c.of("x", "y", "xx"))
			}
		case posture.BoolFact:
			d.Put(r, c.choose(2) == 1)
		case posture.VersionFact:
			v, _ := posture.ParseVersion(c.of("14.7", "15.4", "16"))
			d.Put(r, v)
		case posture.TimeFact:
			d.Put(r, time.Date(2026, 1, 1+c.choose(20), 0, 0, 0, 0, time.UTC))
		case posture.ListFact:
			d.Put(r, [][]string{{}, {"x"}, {"y", "x"}, {"y"}}[c.choose(4)])
		case posture.AttributesFact:
			d.Put(r, []map[string]string{{}, {"a": "x"}, {"a": "y", "b": "x"}}[c.choose(3)])
		}
	}
	return r
}

// withouts are copies of r each of which lacks one fact, or one attribute, that r has.
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

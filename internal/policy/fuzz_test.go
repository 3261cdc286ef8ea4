package policy_test

import (
	"slices"
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
		"string(device.os_version)", "device.identifier", "request.provisioner")
}

// boolean makes an expression that is true or false.
func (c *chooser) boolean(depth int) string {
	if depth == 0 {
		return c.of("device.managed", "device.supervised", "device.compliant", "device.encrypted", "records.owned.found", "records.down.found", "true", "false")
	}
	switch c.choose(13) {
	case 0, 1:
		return "(" + c.boolean(depth-1) + " && " + c.boolean(depth-1) + ")"
	case 2, 3:
		return "(" + c.boolean(depth-1) + " || " + c.boolean(depth-1) + ")"
	case 4, 5:
		return "!" + "(" + c.boolean(depth-1) + ")"
	case 6:
		return "(" + c.boolean(depth-1) + " ? " + c.boolean(depth-1) + " : " + c.boolean(depth-1) + ")"
	case 7:
		return "(" + c.boolean(depth-1) + c.of(" == ", " != ") + c.boolean(depth-1) + ")"
	case 8:
		return "(" + c.text() + c.of(" == ", " != ", " < ", " >= ") + c.text() + ")"
	case 9:
		return "(" + c.of(`device.os == "macOS"`, `device.os in ["iOS", "macOS"]`, `device.os_version.atLeast("15.4")`, `device.os_version.below("15.4")`, `device.os_version != records.owned.device.os_version`,
			`device.last_seen > now - days(7)`, `device.enrolled_at < device.last_seen`, `device.last_seen != device.enrolled_at`) + ")"
	case 10:
		return c.of(`("x" in device.groups)`, `device.groups.exists(g, g == "x")`, `device.groups.all(g, g != "x")`, `(device.groups == [])`,
			`(device.groups.size() == 0)`, `device.groups.exists(g, g == user.department)`, `("x" in records.owned.device.groups)`)
	case 11:
		return "(" + c.text() + c.of(`.startsWith("x")`, `.matches("^x*$")`, `.size() > 0`, ` in ["x", "y"]`) + ")"
	default:
		c.has = true
		return c.of("has(device.name)", "has(device.compliant)", `has(device.attributes["a"])`, "has(records.owned.device.name)")
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

// without returns a copy of r that does not know a fact.
func without(r *posture.Device, drop *posture.Definition) *posture.Device {
	less := &posture.Device{Identifier: r.Identifier}
	for _, d := range posture.Vocabulary() {
		if value, known := d.Get(r); known && d.Name != drop.Name {
			d.Put(less, value)
		}
	}
	return less
}

// FuzzRules shows that no rules let a device pass when an enforced one is not met, and that to remove a fact never
// makes an expression met, unless it asks with has().
func FuzzRules(f *testing.F) {
	for seed := range byte(64) {
		bytes := make([]byte, 120)
		for i := range bytes {
			bytes[i] = byte(int(seed)*31+i*7+i*i*int(seed+1)) ^ seed
		}
		f.Add(bytes)
	}
	s, err := policy.NewScope("jamf", "owned", "down")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		c := &chooser{bytes: input}
		e := &posture.Evidence{Now: time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC), Inventory: "jamf", Deciding: c.record()}
		owned := c.record()
		e.Answers = []posture.Answer{{Inventory: "jamf", Record: e.Deciding}, {Inventory: "owned", Record: owned}, {Inventory: "down", Err: posture.ErrAmbiguous}}
		p := &policy.Policy{Name: "p", Inventories: []string{"jamf"}, ReportOnly: c.choose(8) == 7}
		for range 1 + c.choose(3) {
			text := c.boolean(1 + c.choose(3))
			require, faults := s.CompileCondition(text)
			if faults != nil {
				t.Fatalf("%s: %v", text, faults)
			}
			r := &policy.Rule{Name: "r", Require: require, Code: "c", ReportOnly: c.choose(4) == 3}
			if c.choose(4) == 3 {
				r.When, _ = s.CompileCondition(c.boolean(1))
			}
			p.Rules = append(p.Rules, r)
			before, _ := require.Evaluate(e)
			if c.has {
				continue
			}
			for _, d := range posture.Vocabulary() {
				for _, of := range []string{"jamf", "owned"} {
					less := *e
					less.Answers = slices.Clone(e.Answers)
					changed := without(less.Answer(of).Record, d)
					less.Put(posture.Answer{Inventory: of, Record: changed})
					if of == "jamf" {
						less.Deciding = changed
					}
					if after, _ := require.Evaluate(&less); after == posture.Met && before != posture.Met {
						t.Errorf("%s is %v, and met without %s of %s", text, before, d.Name, of)
					}
				}
			}
		}
		d := p.Authority(nil).Authorize(e)
		for i, o := range d.Verdict().Outcomes {
			if d.Allowed() && o.Applies && o.Result != posture.Met && !p.Rules[i].ReportOnly && !p.ReportOnly {
				t.Errorf("allowed, though %s", o.Reason)
			}
		}
		if managed, _ := e.Deciding.Facts.Managed.Get(); d.Allowed() && !managed {
			t.Error("allowed, though not managed")
		}
	})
}

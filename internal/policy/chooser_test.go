package policy_test

import (
	"strings"
	"time"

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
		one, other, operator := c.text(), c.text(), c.of(" == ", " != ", " < ", " >= ")
		if strings.Contains(one+other, "string(device.os_version)") {
			operator = c.of(" == ", " != ") // the texts of versions have no order
		}
		return "(" + one + operator + other + ")"
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

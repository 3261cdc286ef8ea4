package policy_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/policy"
)

func scope(t *testing.T, inventories ...string) *policy.Scope {
	t.Helper()
	s, err := policy.NewScope(inventories...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each mistake is refused at its place, with what is accepted.
func TestMistakes(t *testing.T) {
	t.Parallel()
	s := scope(t, "jamf_eu", "owned")
	for _, c := range []struct{ text, want string }{
		{`device.os_verzion.atLeast("15.4")`, `1:8: unknown name in device "os_verzion"; did you mean os_version?`},
		{"device\n  .os_verzion == device.os_version", `2:4: unknown name in device "os_verzion"; did you mean os_version?`},
		{`devic.os == "macOS"`, `1:1: unknown variable "devic"; did you mean device?`},
		{`records.ownd.found`, `1:9: unknown name in records "ownd"; did you mean owned?; accepted: jamf_eu, owned`},
		{`records.owned.devices.os == "macOS"`, `1:15: unknown name in records.owned "devices"; did you mean device?`},
		{`user.email == "a"`, `1:6: unknown name in user "email"`},
		{`device.os_version >= "15.4"`, `1:19: >= does not compare a version with text; accepted: device.os_version.atLeast("15.4"), device.os_version.below("16")`},
		{`device.os_version == "15.4"`, `1:19: == does not compare a version with text; accepted: device.os_version.atLeast("15.4")`},
		{`device.os_version < records.owned.device.os_version`, `1:19: < does not compare a version with a version; accepted: device.os_version.atLeast`},
		{`device.os_version.atLeast(15)`, `1:19: atLeast() of a version does not take a number; accepted: device.os_version.atLeast("15.4")`},
		{`device.os_version.atleast("15")`, `1:19: unknown function "atleast"; did you mean atLeast?`},
		{`device.last_seen > days(7)`, `1:18: > does not compare a time with a duration; accepted: device.last_seen > now - days(7), now >= timestamp("2027-01-15T00:00:00Z")`},
		{`device.last_seen > now - 7 days`, `1:28: "days" does not belong here; accepted: days(7), or duration("36h") for less than days`},
		{`device.last_seen > now - hours(7)`, `1:26: unknown function "hours"; accepted: days(7), or duration("36h") for less than days`},
		{`device.encrypted is true`, `1:18: "is" does not belong here; accepted: == to compare`},
		{`device.encrypted, device.supervised`, `1:17: "," does not belong here; accepted: && for and`},
		{`device.managed && (device.encrypted`, `1:36: ) is missing`},
		{`device.os == “macOS”`, `1:14: "“" does not belong here; accepted: straight quotation marks, " or '`},
		{`device.os == macOS`, `1:14: unknown variable "macOS"; accepted: device, inventory, now, records, request, user; or "macOS" in quotation marks, if it is text`},
		{`device.groups.contains("Finance")`, `1:15: contains() of a list of texts does not take text; accepted: "Finance" in device.groups`},
		{`device.attributes.Asset != "lost"`, `1:19: device.attributes can only be read with a name in quotation marks; accepted: device.attributes["name"]`},
		{`device.last_seen > "2026-01-01"`, `1:18: > does not compare a time with text`},
		{`device.managed == 1`, `1:16: == does not compare true or false with a number`},
		{`device.groups == "x"`, `1:15: == does not compare a list of texts with text`},
		{`!device.name`, `1:1: ! does not take text; accepted: true or false`},
		{`device.managed && device.name`, `1:19: it is text; accepted: true or false`},
		{`device.managed && device.groups[0]`, `1:19: it is text; accepted: true or false`},
		{`device.managed && string(device.os_version)`, `1:19: it is text; accepted: true or false`},
		{`1 in device.groups`, `1:3: in does not search for a number in a list of texts`},
		{`device.managed ? device.name : 3`, `1:16: the two results of ? : are text and a number; accepted: values of one type`},
		{`device.managed + 1 == 2`, `1:16: + does not take true or false and a number`},
		{`device.name.exists(c, c == "a")`, `a loop cannot go through text; accepted: a list`},
		{`device.name.first == "a"`, `1:13: text has no names in it`},
		{`device.managed &&
  device.name.contains(3)`, `2:15: contains() of text does not take a number`},
		{`sameIdentifier(device.name, 3)`, `1:1: sameIdentifier() does not take text and a number`},
		{`has(device.nme)`, `1:12: unknown name in device "nme"; did you mean name?`},
		{`has(records.ownd)`, `1:13: unknown name in records "ownd"; did you mean owned?`},
		{`has(records.owned.device.nme)`, `1:26: unknown name in records.owned.device "nme"`},
		{`has()`, `1:1: has() takes one fact; accepted: has(device.last_seen)`},
		{`has(device.name, 1)`, `1:1: has() takes one fact`},
		{`device.os_version == null`, `1:22: no fact is null; whether it is known is asked with has()`},
		{`device.name != null`, `1:16: no fact is null`},
		{`device.last_seen > timestamp("2026-13-01T00:00:00Z")`, `1:30: timestamp() cannot read "2026-13-01T00:00:00Z"; accepted: a text such as 2026-01-01T00:00:00Z`},
		{`now - device.last_seen < duration("3 days")`, `1:35: duration() cannot read "3 days"; accepted: a text such as 90m`},
		{`request.key_bits > 2.5`, `1:18: > does not compare a whole number with a number with a point`},
		{`if device.managed`, `"if" is a word of the expression language`},
		{`device.managed == True`, `1:19: unknown variable "True"; did you mean true?`},
		{`foo == 1`, `1:1: unknown variable "foo"; accepted: device`},
		{`foo(1)`, `1:1: unknown function "foo"`},
		{`device.name = "a"`, `1:13: = is no operator; accepted: == to compare`},
		{`device.managed and true`, `1:16: "and" does not belong here; accepted: && for and`},
		{`device.name == "a`, `1:16: a text without its second quotation mark`},
		{`device.os_version.atLeast("15.4 beta")`, `1:27: "15.4 beta" is not a version; accepted: one to four numbers`},
		{`device.os_version.below("")`, `1:25: "" is not a version`},
		{`device.os == "MacOS"`, `1:14: device.os is never "MacOS"; did you mean "macOS"?; accepted: "macOS", "iOS"`},
		{`"mac" != device.os`, `1:1: device.os is never "mac"`},
		{`device.os in ["macOS", "ios"]`, `1:24: device.os is never "ios"; did you mean "iOS"?`},
		{`device.type == "phone"`, `1:16: device.type is never "phone"`},
		{`device.ownership != "company"`, `1:21: device.ownership is never "company"`},
		{`request.kind == "ENRICHING"`, `1:17: request.kind is never "ENRICHING"; did you mean "enriching"?`},
		{`request.mode == "mobile"`, `1:17: request.mode is never "mobile"`},
		{`request.door == "wifi"`, `1:17: request.door is never "wifi"`},
		{`request.key_type == "ec"`, `1:21: request.key_type is never "ec"`},
		{`inventory == "jamf"`, `1:14: inventory is never "jamf"; did you mean "jamf_eu"?; accepted: "jamf_eu", "owned"`},
		{`dyn(device.name) != "a"`, `1:1: unknown function "dyn"`},
		{`type(device.name) == string`, `1:1: unknown function "type"`},
		{`has(records.owned)`, `records.owned is no value by itself`},
		{`has(device.last_seen) && has(device)`, `has() takes a fact`},
		{`has(device.attributes)`, `1:5: device.attributes can only be read with a name`},
		{`device == device`, `1:1: device is no value by itself`},
		{`device.attributes == {"a": "b"}`, `device.attributes can only be read with a name in quotation marks`},
		{`device.attributes[device.name] == "x"`, `1:19: the name of an attribute is computed; accepted: a name in quotation marks`},
		{`device.attributes.exists(k, k == "x")`, `device.attributes can only be read with a name`},
		{`!("x" in device.attributes)`, `1:10: whether an attribute is known is asked with has()`},
		{`device.attributes.x == "y"`, `1:19: device.attributes can only be read with a name`},
		{`device.name.matches(device.model)`, `1:21: the pattern of matches is computed`},
		{`device.name.matches("(")`, `1:21: error parsing regexp: missing closing )`},
		{`device.groups.exists(g, g in device.groups)`, `1:27: a loop in a loop`},
		{`device.groups.exists(g, device.groups.exists(h, h == g))`, `1:39: a loop in a loop`},
		{`device.groups.exists(user, user == "x")`, `the variable of the loop has the name of user`},
		{`device.last_seen > now - days(request.key_bits)`, `1:31: days() takes no such value; accepted: a number from 0 to 3650`},
		{`device.last_seen > now - days(3651)`, `1:31: days() takes no such value`},
		{`device.last_seen > now - days(-1)`, `days() takes no such value`},
		{`device.name`, `1:1: the result is text; accepted: an expression that is true or false`},
		{`[1, "a"].size() == 2`, `values of several types`},
		{`{"a": 1, "b": "c"}.size() == 2`, `values of several types`},
		{`device.name == `, `the expression ends too early`},
		{`google.protobuf.Int64Value{value: 1} == 1`, ``},
		{`device.groups.exists(g, device.groups == ["x"])`, `1:39: a loop in a loop: lists are compared for each element of another one`},
		{`device.groups.all(g, g in ["a", "b"])`, `1:24: a loop in a loop: in searches a list for each element of another one`},
		{`device.groups.exists(g, i, g == "x")`, `1:15: exists() takes a list before it, a name and an expression; accepted: device.groups.exists(g, g == "a")`},
		{`exists(device.groups, g, g == "x")`, `1:1: exists() takes a list before it, a name and an expression`},
		{`device.os == (device.managed ? "mac" : "iOS")`, `1:32: device.os is never "mac"`},
		{`"mac" in [device.os]`, `1:1: device.os is never "mac"`},
		{`["macOS", "phone"] == [device.os, device.type]`, `1:11: device.type is never "phone"`},
		{`["mac"].exists(o, o == device.os)`, `1:2: device.os is never "mac"`},
		{`device.os >= "mac"`, `1:14: device.os is never "mac"`},
		{`device.os in (device.managed ? ["mac"] : ["iOS"])`, `1:33: device.os is never "mac"`},
		{`device.os_version.atLeast(device.managed ? "15" : "x y")`, `1:51: "x y" is not a version`},
		{`now.getHours("Europe/Berlim") == 1`, `1:14: "Europe/Berlim" is no time zone; accepted: a name such as "Europe/Berlin", or an offset such as "+02:00"`},
		{`device.last_seen.getDayOfWeek("Local") == 1`, `1:31: "Local" is no time zone`},
		{`now.getHours("+24:00") == 1`, `1:14: "+24:00" is no time zone`},
		{`now.getHours("") == 1`, `1:14: "" is no time zone`},
		{`device.last_seen > now - days(3 + 4)`, `1:31: days() takes no such value`},
		{`device.last_seen > now - days(7u)`, `1:31: days() takes no such value`},
		{`device.last_seen > now - days("7")`, `1:31: days() takes no such value`},
		{`device.name.matches("a" + device.model)`, `1:21: the pattern of matches is computed`},
		{`device.groups.exists(g, g.matches(g))`, `1:35: the pattern of matches is computed`},
		{`device.attributes["a" + "b"] == "x"`, `1:19: the name of an attribute is computed`},
		{`device.attributes[1] == "x"`, `1:19: the name of an attribute is computed`},
		{`has(device.attributes[device.name])`, `1:23: the name of an attribute is computed`},
		{`records.ownd.device.attributes["x"] == "y"`, `1:9: unknown name in records "ownd"; did you mean owned?`},
		{`has(records.ownd.device.attributes["x"])`, `1:13: unknown name in records "ownd"; did you mean owned?`},
		{`has(device.groups["VIP"])`, `1:5: has() takes a fact; accepted: has(device.last_seen), has(device.attributes["name"])`},
		{`has(device.groups[0])`, `1:5: has() takes a fact`},
		{`has({"a": true}.b)`, `has() takes a fact`},
		{`has({"a": true}["b"])`, `1:5: has() takes a fact`},
		{`{"a": 1, "a": 2}["a"] == 1`, `1:10: the map has the key "a" already; accepted: each key once`},
		{`google.protobuf.Timestamp{seconds: 1} == now`, `1:1: messages cannot be made`},
		{`google.protobuf.Timestamp == now`, `1:1: unknown variable "google"`},
		{`device.?name == "a"`, `1:8: unsupported syntax`},
		{`device.managed && not device.encrypted`, `1:19: "device" does not belong here; accepted: && for and, || for or, ! for not`},
		{`device.managed & true`, `1:16: "&" does not belong here`},
		{`[] == []`, `values of several types`},
		{`device.groups.exists(g, device.groups.join(",").contains(g))`, `1:1: it could cost `},
		{`device.name.replace("", device.name).replace("", device.name) == "x"`, `1:1: it could cost `},
		{`device.groups.exists(g, g.matches("a.{0,900}x"))`, `1:1: it could cost `},
		{`device.groups.exists(g, matches(g, r"(ab|c){200}"))`, `1:1: it could cost `},
		{`device.name.matches("` + strings.Repeat(".{0,1000}", 200) + `x")`, `1:21: the pattern has more than 2000 steps; accepted: smaller numbers in braces, which stand for as many copies of what is before them`},
		{`device.groups.exists(g, now.getHours(g) == 5)`, `1:1: it could cost `},
		{`"a" in device.groups && device.groups.exists(g, "a" in device.groups)`, `1:53: a loop in a loop`},
		{`records.jamf_eu.found && records.owned.device.os == "mac"`, `1:53: records.owned.device.os is never "mac"`},
		{`string(device.os_version) >= "15.4"`, `1:27: the texts of versions are compared letter by letter, so that 9.1 is more than 15.4; accepted: device.os_version.atLeast`},
		{`"16" > string(records.owned.device.os_version)`, `1:6: the texts of versions are compared letter by letter`},
		{`device.groups.exist(g, g == "x")`, `1:15: unknown function "exist"; did you mean exists?; accepted: all, exists, exists_one, filter, map`},
		{`device.name.matches("\d+")`, `1:21: the text has a \ before a character that it does not go with; accepted: \\ for a backslash, or r"..." for a pattern`},
		{`device.managed == tru`, `1:19: unknown variable "tru"; did you mean true?`},
		{`device.in == 1`, `1:8: ".in" does not belong here`},
		{`device.name.startswith("x")`, `1:13: unknown function "startswith"; did you mean startsWith?`},
		{`@device{}.name == "a"`, `"@" does not belong here`},
		{`device.?name == optional.of("a")`, ``},
		{strings.Repeat("(", 51) + "device.managed" + strings.Repeat(")", 51), `1:51: the expression is nested too deeply; accepted: 50 levels`},
		{"true &&\n" + strings.Repeat("ü(", 51), `2:102: the expression is nested too deeply; accepted: 50 levels`},
		{strings.Repeat("!(true ? false : ", 51) + "device.managed" + strings.Repeat(")", 51), `nested too deeply`},
		// CEL's checker would take minutes for it.
		{"device.groups" + strings.Repeat(".map(g,g", 400) + strings.Repeat(")", 400) + " == 1", `nested too deeply`},
		{`device.name == "` + strings.Repeat("a", 5000) + `"`, `1:1: the expression has 5017 characters; accepted: at most 4096`},
	} {
		_, faults := s.CompileCondition(c.text)
		switch {
		case faults == nil:
			t.Errorf("%.80s: compiled", c.text)
		case strings.Contains(faults.Error(), "overload"), strings.Contains(faults.Error(), "_=") && !strings.Contains(c.text, "_="), strings.Contains(faults.Error(), "@device"):
			t.Errorf("%.80s: internals of CEL: %v", c.text, faults)
		case !strings.Contains(faults.Error(), c.want):
			t.Errorf("%.80s:\n got  %v\n want %s", c.text, faults, c.want)
		}
		for _, f := range faults {
			if f.Accepted == "" {
				t.Errorf("%.80s: it does not say what is accepted: %v", c.text, f)
			}
		}
	}
}

// Brackets may be as deep as the tree of an expression, and those of texts, patterns and comments do not count.
func TestBrackets(t *testing.T) {
	t.Parallel()
	s := scope(t, "owned")
	many := strings.Repeat("(", 60)
	for _, text := range []string{
		strings.Repeat("(", 50) + "device.managed" + strings.Repeat(")", 50),
		`device.name == "` + many + `"`, `device.name == '` + many + `'`, `device.name == """` + many + "\n" + `"""`,
		`device.name == "\"` + many + `"`, `device.name == r"\` + many + `" && device.name != r'` + many + `'`,
		"device.managed // " + many,
	} {
		if _, faults := s.CompileCondition(text); faults != nil {
			t.Errorf("%s: %v", text, faults)
		}
	}
}

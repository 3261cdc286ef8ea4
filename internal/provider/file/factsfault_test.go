package file_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

const (
	forData = ", or for data a name without device. or user. at its beginning"

	wantSystem  = "; accepted: macOS, iOS, iPadOS, tvOS, watchOS, visionOS, Windows, Linux, Android, ChromeOS"
	wantBool    = "; accepted: true or false"
	wantTime    = "; accepted: a time of RFC 3339, such as 2026-01-31T15:04:05Z"
	wantVersion = `; accepted: one to four numbers, such as "15.4.1"`
	wantText    = "; accepted: text, or null where it is unknown"
	wantList    = "; accepted: a list of texts, or null where it is unknown"
	wantObject  = `; accepted: {"device": {…}, "user": {…}}`

	wantAttributes = `; accepted: a JSON object, such as {"asset": "A-17"}`
	wantGroups     = `; accepted: names with semicolons between them, or a JSON list of names, such as ["Staff"], [] for none`
)

// factsOf are the names of the facts of a device or of its user, as faults list them.
func factsOf(about string) string {
	return strings.Join(slices.DeleteFunc(posture.AllFacts().Names(), func(name string) bool { return !strings.HasPrefix(name, about+".") }), ", ")
}

// refusedWithFacts opens an inventory that a policy reads and that must not load, and returns the lines of the error.
func refusedWithFacts(t *testing.T, kind, content string) []string {
	t.Helper()
	c := written(t, kind, content)
	c.ReadFacts()
	p, warnings, err := file.New(c)
	if err == nil {
		t.Fatalf("New(%s) of %.80q accepted it (warnings: %q)", kind, content, warnings)
	}
	if p != nil || warnings != nil {
		t.Errorf("New(%s) of %.80q returned a provider or warnings (%q) with its error", kind, content, warnings)
	}
	return strings.Split(strings.ReplaceAll(err.Error(), string(c.Path), "PATH"), "\n")
}

// Faults in the facts of a CSV file, each with its place, what is wrong and what is right.
func TestFaultsOfFactsInCSV(t *testing.T) {
	t.Parallel()
	columns := factsOf("device")
	column := func(n int, fault string) string { return fmt.Sprintf("line 1: column %d: %s", n, fault) }
	unknown := func(name, near, accepted string) string {
		if near != "" {
			near = "; did you mean " + near + "?"
		}
		return fmt.Sprintf("unknown fact %q%s; accepted: %s%s", name, near, accepted, forData)
	}
	for _, test := range []struct {
		name, content string
		want          []string
	}{
		{"a letter too many", "Identifier,a,device.oss_version\n", []string{column(3, unknown("device.oss_version", "device.os_version", columns))}},
		{"swapped letters", "Identifier,device.os_vresion\n", []string{column(2, unknown("device.os_vresion", "device.os_version", columns))}},
		{"in upper case", "Identifier,Device.OS_Version\n", []string{column(2, unknown("Device.OS_Version", "device.os_version", columns))}},
		{"in upper case, misspelled", "Identifier,DEVICE.MANGED\n", []string{column(2, unknown("DEVICE.MANGED", "device.managed", columns))}},
		{"no fact of a user", "Identifier,user.foo\n", []string{column(2, unknown("user.foo", "", factsOf("user")))}},
		{"a fact of the device as one of its user", "Identifier,user.name\n", []string{column(2, unknown("user.name", "", factsOf("user")))}},
		{"no fact of a device", "Identifier,device.\n", []string{column(2, unknown("device.", "device.os", columns))}},
		{"a misspelled beginning", "Identifier,devcie.model,usr.position\n", []string{
			column(2, unknown("devcie.model", "device.model", columns+", "+factsOf("user"))), column(3, unknown("usr.position", "user.position", columns+", "+factsOf("user"))),
		}},
		{"attributes as text", "Identifier,device.attributes\nC02,a\n", []string{`line 2: device.attributes: "a" is not a JSON object` + wantAttributes}},
		{"attributes as an escape", "Identifier,device.attributes\nC02,'\n", []string{`line 2: device.attributes: "" is not a JSON object` + wantAttributes}},
		{"attributes as a list", "Identifier,device.attributes\nC02,[]\n", []string{`line 2: device.attributes: "[]" is not a JSON object` + wantAttributes}},
		{"attributes that are null", "Identifier,device.attributes\nC02,null\n", []string{`line 2: device.attributes: "null" is not a JSON object` + wantAttributes}},
		{"attributes that are cut off", "Identifier,device.attributes\nC02,\"{\"\"a\"\":1\"\n", []string{`line 2: device.attributes: "{\"a\":1" is not a JSON object` + wantAttributes}},
		{"an attribute twice", "Identifier,device.attributes\nC02,\"{\"\"a\"\":1,\"\"a\"\":1}\"\n", []string{`line 2: device.attributes: "{\"a\":1,\"a\":1}" is not a JSON object` + wantAttributes}},
		{"an attribute that is a column", "Identifier,a,device.attributes\nC02,,\"{\"\"b\"\":1,\"\"a\"\":null}\"\n", []string{`line 2: device.attributes: "a" is a column too; accepted: each attribute in one of them`}},
		{"groups that are no JSON", "Identifier,device.groups\nC02,a\nC03,[Staff];Lab\n", []string{`line 3: device.groups: "[Staff];Lab" begins with [ and is not valid JSON` + wantGroups}},
		{"a group that is a number", "Identifier,device.groups\nC02,[1]\n", []string{`line 2: device.groups: 1 in the list is not text` + wantList}},
		{"a group without a name", "Identifier,device.groups\nC02,\"[\"\"\"\"]\"\n", []string{`line 2: device.groups: a text in the list is empty` + wantList}},
		{"groups as an escape", "Identifier,device.groups\nC02,'\n", []string{`line 2: device.groups: the text is empty` + wantGroups}},
		{"a boolean as an escape", "Identifier,device.managed\nC02,'\n", []string{`line 2: device.managed: "" is not a boolean` + wantBool}},
		{"an identifier of an escape alone", "Identifier,device.managed\n',true\n", []string{`line 2: identifier is empty`}},
		{"an escaped identifier with a space", "Identifier,device.managed\n' C02,true\n", []string{`line 2: identifier begins or ends with a space`}},
		{"an escaped identifier with a line feed", "Identifier,device.managed\n\"'\"\"C\\n2\"\"\",true\n", []string{`line 2: identifier has U+000A (line feed) at position 2, want printable ASCII only`}},
		{"another identifier, escaped", "Identifier,device.identifier\n'=C02,'=C03\n", []string{`line 2: device.identifier: "=C03" is not the device's identifier; accepted: "=C02", or nothing`}},
		{"a fact twice", "Identifier,device.os, device.os\n", []string{`line 1: column 3 repeats the name "device.os"`}},
		{"a boolean in upper case", "Identifier,device.managed\nC02,true\nC03,TRUE\n", []string{`line 3: device.managed: "TRUE" is not a boolean` + wantBool}},
		{"a boolean of spaces", "Identifier,device.encrypted\nC02,\" \"\n", []string{`line 2: device.encrypted: " " is not a boolean` + wantBool}},
		{"a number as a boolean", "Identifier,a,device.compliant\nC02,x,1\n", []string{`line 2: device.compliant: "1" is not a boolean` + wantBool}},
		{"a day", "Identifier,device.last_seen\n\nC02,2026-01-31\n", []string{`line 3: device.last_seen: "2026-01-31" is not a time` + wantTime}},
		{"a time without a zone", "Identifier,device.enrolled_at\nC02,2026-01-31T15:04:05\n", []string{`line 2: device.enrolled_at: "2026-01-31T15:04:05" is not a time` + wantTime}},
		{"a day that does not exist", "Identifier,device.last_seen\nC02,2026-02-30T15:04:05Z\n", []string{`line 2: device.last_seen: "2026-02-30T15:04:05Z" is not a time` + wantTime}},
		{"a word in another case", "Identifier,device.os\nC02,MacOS\n", []string{`line 2: device.os: "MacOS" is none of its words; did you mean macOS?` + wantSystem}},
		{"no word", "Identifier,device.os\nC02,Haiku\n", []string{`line 2: device.os: "Haiku" is none of its words` + wantSystem}},
		{"a type of device", "Identifier,device.type\nC02,computers\n", []string{`line 2: device.type: "computers" is none of its words; did you mean computer?; accepted: computer, mobiledevice`}},
		{"an ownership", "Identifier,device.ownership\nC02,corporate\n", []string{`line 2: device.ownership: "corporate" is none of its words; accepted: organization, personal`}},
		{"another identifier", "Identifier,device.identifier\nC02,c02\nC03,C04\n", []string{`line 3: device.identifier: "C04" is not the device's identifier; accepted: "C03", or nothing`}},
		{"a NUL byte", "Identifier,device.name\nC02,a\x00\n", []string{"line 2: a NUL byte in a value; the file is damaged, or is not text"}},
		{"each fault of a row, and each row", "Identifier,device.managed,device.os\nC02,no,OSX\nC03,true,iOS\nC04,yes,\n", []string{
			`line 2: device.managed: "no" is not a boolean` + wantBool, `line 2: device.os: "OSX" is none of its words` + wantSystem, `line 4: device.managed: "yes" is not a boolean` + wantBool,
		}},
		{"a row in quotation marks, over two lines", "Identifier,a,device.managed\n\"C02\",\"x\ny\",\"true\"\n\"C03\",\"x,\"\"\",\"t,rue\"\n", []string{
			`line 4: device.managed: "t,rue" is not a boolean` + wantBool,
		}},
		{"other facts", "Identifier,device.groups\nC02,a;b\nc02,b;a\n", []string{`line 3: duplicate identifier "c02" with different data`}},
		{"a long value is cut", "Identifier,device.managed\nC02," + strings.Repeat("x", 100) + "\n", []string{
			`line 2: device.managed: "` + strings.Repeat("x", 40) + `" is not a boolean` + wantBool,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantFaults(t, "csv", test.content, test.want)
		})
	}
}

func wantFaults(t *testing.T, kind, content string, want []string) {
	t.Helper()
	for i, line := range want {
		want[i] = "inventory PATH: " + line
	}
	wantLines(t, "error", refusedWithFacts(t, kind, content), want)
	if strings.Contains(content, "\x00") || strings.Contains(strings.Join(want, ""), "repeats the name") || strings.Contains(content, ",b;a") {
		return // these are faults of data too
	}
	loaded(t, kind, content)
}

// Faults in the facts of a JSON file.
func TestFaultsOfFactsInJSON(t *testing.T) {
	t.Parallel()
	unknown := func(name, near, accepted string) string {
		if near != "" {
			near = "; did you mean " + near + "?"
		}
		return fmt.Sprintf("unknown fact %q%s; accepted: %s", name, near, accepted)
	}
	for _, test := range []struct {
		name, facts string
		want        []string // after "devices[1]: "
	}{
		{"no object", `5`, []string{`the member "facts" is not an object` + wantObject}},
		{"a list", `[]`, []string{`the member "facts" is not an object` + wantObject}},
		{"text", `"x"`, []string{`the member "facts" is not an object` + wantObject}},
		{"a device that is no object", `{"device":[],"user":null}`, []string{`the member "device" in "facts" is not an object` + wantObject}},
		{"a user that is no object", `{"user":"ada"}`, []string{`the member "user" in "facts" is not an object` + wantObject}},
		{"a misspelled device", `{"devise":{"os":"macOS"}}`, []string{`unknown member "devise" in "facts"; did you mean device?` + wantObject}},
		{"User in upper case", `{"User":{}}`, []string{`unknown member "User" in "facts"; did you mean user?` + wantObject}},
		{"names as columns have them", `{"device.os":"macOS"}`, []string{`unknown member "device.os" in "facts"; did you mean device?` + wantObject}},
		{"another member", `{"device":{},"groups":[]}`, []string{`unknown member "groups" in "facts"` + wantObject}},
		{"a misspelled fact", `{"device":{"os_vresion":"15.4"}}`, []string{unknown("device.os_vresion", "device.os_version", factsOf("device"))}},
		{"a fact in upper case", `{"device":{"UDID":"x"}}`, []string{unknown("device.UDID", "device.udid", factsOf("device"))}},
		{"an unknown fact, though it is null", `{"user":{"foo":null}}`, []string{unknown("user.foo", "", factsOf("user"))}},
		{"a fact of the user as one of the device", `{"device":{"department":"R&D"}}`, []string{unknown("device.department", "", factsOf("device"))}},
		{"a boolean as text", `{"device":{"managed":"true"}}`, []string{`device.managed: "true" is not a boolean` + wantBool}},
		{"a boolean as a number", `{"device":{"supervised":0}}`, []string{`device.supervised: 0 is not a boolean` + wantBool}},
		{"a version as a number", `{"device":{"os_version":15.10}}`, []string{`device.os_version: 15.10 is not text` + wantVersion}},
		{"a time as a number", `{"device":{"last_seen":1769871845}}`, []string{`device.last_seen: 1769871845 is not text` + wantTime}},
		{"a time that is none", `{"device":{"enrolled_at":"yesterday"}}`, []string{`device.enrolled_at: "yesterday" is not a time` + wantTime}},
		{"text as a number", `{"device":{"name":5}}`, []string{`device.name: 5 is not text` + wantText}},
		{"text as an object", `{"user":{"position":{"a":1}}}`, []string{`user.position: an object is not text` + wantText}},
		{"a word as a boolean", `{"device":{"os":true}}`, []string{`device.os: true is not text` + wantSystem}},
		{"no word", `{"device":{"os":"ios"}}`, []string{`device.os: "ios" is none of its words; did you mean iOS?` + wantSystem}},
		{"groups as text", `{"device":{"groups":"a;b"}}`, []string{`device.groups: "a;b" is not a list` + wantList}},
		{"a group as a number", `{"device":{"groups":["a",5]}}`, []string{`device.groups: 5 in the list is not text` + wantList}},
		{"a group that is null", `{"device":{"groups":[null]}}`, []string{`device.groups: null in the list is not text` + wantList}},
		{"a group that is a list", `{"device":{"groups":[["a"]]}}`, []string{`device.groups: a list in the list is not text` + wantList}},
		{"a group without a name", `{"device":{"groups":["a",""]}}`, []string{`device.groups: a text in the list is empty` + wantList}},
		{"attributes that are a list", `{"device":{"attributes":["a"]}}`, []string{`device.attributes: a list is not an object; accepted: an object, or null where nothing is known`}},
		{"another identifier", `{"device":{"identifier":"C04"}}`, []string{`device.identifier: "C04" is not the device's identifier; accepted: "C03", or nothing`}},
		{"an identifier that is no text", `{"device":{"identifier":3}}`, []string{`device.identifier: 3 is not text` + wantText}},
		{"each fault", `{"user":{"username":1},"x":1,"device":{"managed":1,"type":"mac"}}`, []string{
			`user.username: 1 is not text` + wantText, `unknown member "x" in "facts"` + wantObject, `device.managed: 1 is not a boolean` + wantBool,
			`device.type: "mac" is none of its words; accepted: computer, mobiledevice`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for i := range test.want {
				test.want[i] = "devices[1]: " + test.want[i]
			}
			wantFaults(t, "json", fmt.Sprintf(`{"devices":[{"identifier":"C02"},{"identifier":"C03","facts":%s}]}`, test.facts), test.want)
		})
	}
	for _, name := range []string{"Facts", "FACTS", "fact"} {
		wantFaults(t, "json", fmt.Sprintf(`{"devices":[{"identifier":"C02","x":{"Facts":1},%q:{}}]}`, name), []string{
			fmt.Sprintf(`devices[0]: unknown member %q; did you mean facts?; accepted: "facts": {"device": {…}, "user": {…}}`, name),
		})
	}
}

// A column that only resembles a fact is one of data, as before.
func TestColumnsThatAreNoFacts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"os_version", "device_name", "device", "user", "os", "service.os", "mail.address", "deviceos", "Owner.department", "facts"} {
		p, warnings := judged(t, "csv", "Identifier,"+name+"\nC02,x\n")
		wantLines(t, "warnings of "+name, warnings, nil)
		wantData(t, p, "C02", fmt.Sprintf(`{%q:"x"}`, name))
	}
}

// A second entry with the same facts is a repeat, whatever its notation; with others it is an error.
func TestRepeatsOfFacts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, second string
		same          bool
	}{
		{`{"device":{"os":"macOS"}}`, `{ "device" : { "o\u0073" : "macOS" } }`, true},
		{`{"device":{"os":"macOS"},"user":{}}`, `{"device":{"udid":null,"os":"macOS"}}`, true},
		{`{"device":{"last_seen":"2026-01-01T00:00:00Z"}}`, `{"device":{"last_seen":"2026-01-01T02:00:00+02:00"}}`, true},
		{`{"device":{"managed":true}}`, `{}`, true},
		{`null`, `{"user":null}`, true},
		{`{"device":{"os":"macOS"}}`, `{"device":{"os":"iOS"}}`, false},
		{`{"device":{"os":"macOS"}}`, `null`, false},
		{`{"device":{"managed":false}}`, `{}`, false},
		{`{"device":{"groups":[]}}`, `{}`, false},
		{`{"device":{"groups":["a","b"]}}`, `{"device":{"groups":["b","a"]}}`, false},
		{`{"device":{"last_seen":"9000-01-01T00:00:00Z"}}`, `{"device":{"last_seen":"9000-01-01T00:00:01Z"}}`, false},
		{`{"device":{"attributes":{"a":1}}}`, `{"device":{"attributes":{"a":"1"}}}`, true},
		{`{"device":{"attributes":{"n":null}}}`, `{}`, false},
	} {
		for _, facts := range [][2]string{{test.first, test.second}, {test.second, test.first}} {
			content := fmt.Sprintf(`{"devices":[{"identifier":"C02","data":{"n":1},"facts":%s},{"identifier":"C02","data":{"n":1},"facts":%s}]}`, facts[0], facts[1])
			if !test.same {
				wantFaults(t, "json", content, []string{`devices[1]: duplicate identifier "C02" with different data`})
				continue
			}
			_, warnings := judged(t, "json", content)
			if want := "inventory PATH: devices[1]: exact repeat of a device (1 in the file)"; len(warnings) == 0 || warnings[len(warnings)-1] != want {
				t.Errorf("warnings of %s: %q, want %q", content, warnings, want)
			}
		}
	}
	_, warnings := judged(t, "csv", "Identifier,device.groups,device.os\nC02,a;b,\n\"C02\",\"a;;b;\",\n")
	wantLines(t, "warnings", warnings, []string{"inventory PATH: line 3: exact repeat of a device (1 in the file)"})
}

package file_test

import (
	"fmt"
	"strings"
	"testing"
)

// numbered returns format with each of the numbers from first to last.
func numbered(format string, first, last int) []string {
	var lines []string
	for n := first; n <= last; n++ {
		lines = append(lines, fmt.Sprintf(format, n))
	}
	return lines
}

func TestJSONAccepted(t *testing.T) {
	t.Parallel()
	const noDevices = "inventory PATH: it has no devices; every request will be refused"
	tests := []struct {
		name     string
		content  string
		devices  map[string]string
		warnings []string
	}{
		{
			name:    "plain",
			content: `{"devices":[{"identifier":"C02","data":{"a":{"b":[1,null,true]}}},{"identifier":"C03","data":{}}]}`,
			devices: map[string]string{"C02": `{"a":{"b":[1,null,true]}}`, "C03": `{}`},
		},
		{
			name:    "BOM and CRLF",
			content: "\xef\xbb\xbf{\r\n\"devices\": [\r\n{\"identifier\": \"C02\", \"data\": {\"a\": 1}}\r\n]\r\n}\r\n",
			devices: map[string]string{"C02": `{"a":1}`},
		},
		{
			name:    "data missing or null",
			content: `{"devices":[{"identifier":"C02"},{"identifier":"C03","data":null}]}`,
			devices: map[string]string{"C02": `{}`, "C03": `{}`},
		},
		{
			name:    "unknown members, before and after, of the file and of a device",
			content: `{"version":{"devices":[]},"devices":[{"note":["x"],"identifier":"C02","data":{"a":1},"Data":5,"Identifier":"C09"}],"made":"today"}`,
			devices: map[string]string{"C02": `{"a":1}`},
		},
		{
			name:    "numbers unchanged",
			content: `{"devices":[{"identifier":"C02","data":{"a":12345678901234567890,"b":1.10,"c":1E+400,"d":-0,"e":0.1e-7,"f":9007199254740993}}]}`,
			devices: map[string]string{"C02": `{"a":12345678901234567890,"b":1.10,"c":1E+400,"d":-0,"e":0.1e-7,"f":9007199254740993}`},
		},
		{
			name:    "Unicode, HTML and escapes unchanged",
			content: `{"devices":[{"identifier":"C02","data":{"é":"Zoë 日本 👩‍💻 <b>&'</b>","\u00e9\/":"\u003c\ud83d\ude00\u2028\/"}}]}`,
			devices: map[string]string{"C02": `{"é":"Zoë 日本 👩‍💻 <b>&'</b>","\u00e9\/":"\u003c\ud83d\ude00\u2028\/"}`},
		},
		{
			name:    "escapes in names and in the identifier",
			content: `{"devi\u0063es":[{"identi\u0066ier":"C\u00302","d\u0061ta":{"a":1}}]}`,
			devices: map[string]string{"C02": `{"a":1}`},
		},
		{
			name:    "order of members",
			content: `{"devices":[{"data":{"z":1,"a":2,"M":{"y":1,"b":2},"1":3},"identifier":"C02"}]}`,
			devices: map[string]string{"C02": `{"z":1,"a":2,"M":{"y":1,"b":2},"1":3}`},
		},
		{
			name:    "spaces in strings are kept",
			content: `{"devices":[{"identifier":"C02","data":{ " a " : "  b \n" }}]}`,
			devices: map[string]string{"C02": `{" a ":"  b \n"}`},
		},
		{name: "no devices", content: `{"devices":[]}`, warnings: []string{noDevices}},
		{name: "no devices, spaces and line ends", content: "\n { \"devices\" : [\n] }\n\n", warnings: []string{noDevices}},
		{
			name:     "exact repeat",
			content:  `{"devices":[{"identifier":"C02","data":{"a":1}},{"identifier":"C03"},{"identifier":" c02","data":{"a":1}},{"identifier":"C03","data":{}}]}`,
			devices:  map[string]string{"C02": `{"a":1}`, "C03": `{}`},
			warnings: []string{"inventory PATH: devices[2]: exact repeat of a device (2 in the file)"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, warnings := loaded(t, "json", test.content)
			wantLines(t, "warnings", warnings, test.warnings)
			for id, data := range test.devices {
				wantData(t, p, id, data)
			}
			wantNotFound(t, p, "C09")
		})
	}
}

func TestJSONRefused(t *testing.T) {
	t.Parallel()
	const (
		empty     = `the file is empty; want {"devices":[…]}`
		notObject = `want a JSON object with a member "devices": {"devices":[…]}`
		missing   = `the member "devices" is missing`
		notList   = `the member "devices" is not a list`
		comma     = "not valid JSON: a trailing comma; remove it"
		badData   = `the member "data" is neither an object nor null`
	)
	tests := []struct {
		name    string
		content string
		want    []string // after "inventory PATH: "
	}{
		{"empty file", "", []string{empty}},
		{"BOM only", "\xef\xbb\xbf", []string{empty}},
		{"white space only", " \r\n", []string{empty}},
		{"empty object", "{}", []string{missing}},
		{"a list", `[{"identifier":"C02"}]`, []string{notObject}},
		{"null", "null", []string{notObject}},
		{"a CSV file", "Identifier,name\n", []string{"the file is CSV; set FILE_TYPE to csv"}},
		{"a CSV file with semicolons", "\"identifier\";\"name\"\n", []string{"the file is CSV; set FILE_TYPE to csv"}},
		{"no JSON", "devices\n", []string{"line 1, column 1: not valid JSON: invalid character 'd' at start of value"}},
		{"UTF-16", "\xff\xfe{\x00}\x00", []string{"the file is UTF-16; save it as UTF-8"}},
		{"UTF-16 without a BOM", "{\x00}\x00", []string{"the file is UTF-16; save it as UTF-8"}},
		{"UTF-16 without a BOM, big-endian", "\x00{\x00}", []string{"the file is UTF-16; save it as UTF-8"}},
		{"compressed", "\x1f\x8b\x08\x00", []string{"the file is compressed with gzip; decompress it"}},
		{"devices in another case", `{"Devices":[]}`, []string{missing}},
		{"devices deeper down", `{"x":{"devices":[]}}`, []string{missing}},
		{"devices null", `{"devices":null}`, []string{notList}},
		{"devices an object", `{"devices":{"identifier":"C02"}}`, []string{notList}},
		{"devices a string", `{"devices":"[]"}`, []string{notList}},
		{"devices twice", "{\"devices\":[],\n\"devices\":[]}", []string{"line 2, column 1: not valid JSON: duplicate object member name"}},
		{"no object", `{"devices":["C02",null]}`, []string{"devices[0]: not an object", "devices[1]: not an object"}},
		{"no identifier", `{"devices":[{"data":{}}]}`, []string{`devices[0]: the member "identifier" is missing`}},
		{"identifier in another case", `{"devices":[{"Identifier":"C02"}]}`, []string{`devices[0]: the member "identifier" is missing; write its name in lower case`}},
		{"identifier null", `{"devices":[{"identifier":null}]}`, []string{`devices[0]: the member "identifier" is missing`}},
		{"identifier a number", `{"devices":[{"identifier":5}]}`, []string{`devices[0]: the member "identifier" has the wrong type`}},
		{"identifier empty", `{"devices":[{"identifier":"C02"},{"identifier":""}]}`, []string{"devices[1]: identifier is empty"}},
		{"identifier of white space", `{"devices":[{"identifier":" \t\n "}]}`, []string{"devices[0]: identifier is empty"}},
		{"identifier with a control character", `{"devices":[{"identifier":"C0\u00002"}]}`, []string{"devices[0]: identifier has U+0000 (NUL) at position 3, want printable ASCII only"}},
		{"identifier of 257 bytes", `{"devices":[{"identifier":"` + strings.Repeat("x", 257) + `"}]}`, []string{"devices[0]: identifier is longer than 256 bytes"}},
		{"identifier twice in a device", `{"devices":[{"identifier":"C02","identifier":"C03"}]}`, []string{"devices[0]: line 1, column 33: not valid JSON: duplicate object member name"}},
		{
			"data neither object nor null", `{"devices":[{"identifier":"A"},{"identifier":"B","data":[]},{"identifier":"C","data":"x"},{"identifier":"D","data":5},{"identifier":"E","data":false}]}`,
			[]string{"devices[1]: " + badData, "devices[2]: " + badData, "devices[3]: " + badData, "devices[4]: " + badData},
		},
		{"same identifier, other data", `{"devices":[{"identifier":"C02","data":{"a":1}},{"identifier":"c02","data":{"a":2}}]}`, []string{`devices[1]: duplicate identifier "c02" with different data`}},
		{"same identifier, data once", `{"devices":[{"identifier":"C02","data":{"a":1}},{"identifier":"C02"}]}`, []string{`devices[1]: duplicate identifier "C02" with different data`}},
		{"invalid UTF-8 in data", "{\"devices\":[{\"identifier\":\"A\"},\n{\"identifier\":\"B\",\"data\":{\"x\":\"caf\xe9\"}}]}", []string{"devices[1]: line 2, column 35: not valid JSON: invalid UTF-8; save the file as UTF-8"}},
		{"data after the JSON", "{\"devices\":[]}\n\n{}", []string{"line 3, column 1: data after the JSON object"}},
		{"a bracket too many", "{\n\"devices\":[]}\n}\n", []string{"line 3, column 1: data after the JSON object"}},
		{"NUL bytes after the JSON", "{\"devices\":[]}\n\x00", []string{"line 2, column 1: data after the JSON object; a NUL byte: the file is damaged, or is not text"}},
		{"cut off in a device", "{\"devices\":[\n{\"identifier\":\"A\"},\n{\"identifier\":", []string{"devices[1]: line 3, column 15: not valid JSON: unexpected EOF; the file ends too early: was it written completely?"}},
		{"cut off at the end", `{"devices":[{"identifier":"A"}]`, []string{"line 1, column 32: not valid JSON: unexpected EOF; the file ends too early: was it written completely?"}},
		{"cut off before the list", "{\n\"devices\"", []string{"line 2, column 10: not valid JSON: unexpected EOF; the file ends too early: was it written completely?"}},
		{"cut off after a device", "{\"devices\":[\n{\"identifier\":\"A\"} x]}", []string{"devices[1]: line 2, column 20: not valid JSON: invalid character 'x' after array element (expecting ',' or ']')"}},
		{"comma at the end of the list", "{\"devices\":[\n{\"identifier\":\"A\"},\n]}", []string{"devices[1]: line 2, column 19: " + comma}},
		{"comma at the end of a device", "{\"devices\":[\n{\"identifier\":\"A\" ,\r\n} ]}", []string{"devices[0]: line 2, column 19: " + comma}},
		{"comma at the end of the data", "{\"devices\":[{\"identifier\":\"é\",\"data\":{\"a\":[1,]}}]}", []string{"devices[0]: line 1, column 45: " + comma}},
		{"comma at the end of the object", "{\"devices\":[],\n}", []string{"line 1, column 14: " + comma}},
		{"comma before the first device", "{\"devices\":[,{}]}", []string{"devices[0]: line 1, column 13: not valid JSON: invalid character ',' at start of value"}},
		{"comma in a string before the end", "{\"devices\":[\",\"}", []string{"devices[0]: not an object", "devices[1]: line 1, column 16: not valid JSON: invalid character '}' after array element (expecting ',' or ']')"}},
		{"no comma between devices", "{\"devices\":[\n{\"identifier\":\"A\"}\n{}]}", []string{"devices[1]: line 3, column 1: not valid JSON: invalid character '{' after array element (expecting ',' or ']')"}},
		{"comments", "{\"devices\":[\n# ours\n]}", []string{"devices[0]: line 2, column 1: not valid JSON: invalid character '#' at start of value; JSON has no comments"}},
		{"single quotation marks", "{'devices':[]}", []string{`line 1, column 2: not valid JSON: invalid character '\'' at start of value; strings are in straight double quotation marks: "…"`}},
		{"typographic quotation marks", "{“devices”:[]}", []string{`line 1, column 2: not valid JSON: invalid character '“' at start of value; strings are in straight double quotation marks: "…"`}},
		{"invalid UTF-8 before the devices", "{\n\"made by\": \"caf\xe9\",\n\"devices\":[]}", []string{"line 2, column 16: not valid JSON: invalid UTF-8; save the file as UTF-8"}},
		{
			"fault far into a long file", "{\"devices\":[" + strings.Repeat("\n"+strings.Repeat(" ", 99), 2000) + "],\n\"x\":nope}",
			[]string{"line 2002, column 6: not valid JSON: invalid character 'o' in literal null (expecting 'u')"},
		},
		{
			"more faults than an operator reads", `{"devices":[` + strings.Repeat("1,", 12) + "1]}",
			append(numbered("devices[%d]: not an object", 0, 9), "and 3 more"),
		},
		{
			"faults in devices and after them", `{"devices":[{"identifier":"A"},{"identifier":""},5]} x`,
			[]string{"devices[1]: identifier is empty", "devices[2]: not an object", "line 1, column 54: data after the JSON object"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for i, line := range test.want {
				test.want[i] = "inventory PATH: " + line
			}
			wantLines(t, "error", refused(t, "json", test.content), test.want)
		})
	}
}

package file_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
)

const notAlone = "not an identifier alone; write one identifier a line, without commas, semicolons, tabs and quotation marks, or set FILE_TYPE to csv and write a header"

func TestLinesAccepted(t *testing.T) {
	t.Parallel()
	const noDevices = "inventory PATH: it has no devices; every request will be refused"
	for name, test := range map[string]struct {
		content  string
		devices  []string
		warnings []string
	}{
		"serial number and UDID": {"C02XK1JKLVCG\n00008030-001C2D8E0F90802E\n", []string{"C02XK1JKLVCG", "00008030-001C2D8E0F90802E"}, nil},
		"another case":           {"c02xk1jklvcg\n", []string{"C02XK1JKLVCG", "c02xk1jklvcg"}, nil},
		"no line end at the end": {"C02\nC03", []string{"C02", "C03"}, nil},
		"BOM and CRLF":           {"\xef\xbb\xbfC02\r\nC03\r\n", []string{"C02", "C03"}, nil},
		"BOM, empty lines first": {"\xef\xbb\xbf\r\n\nC02\n", []string{"C02"}, nil},
		"spaces and tabs":        {"  C02\t\n\tC03 \n", []string{"C02", "C03"}, nil},
		"spaces inside":          {"C02 X\n", []string{"C02 X"}, nil},
		"blank lines":            {"\n \n\t\r\nC02\n\n\n  C03\n \t \n", []string{"C02", "C03"}, nil},
		"a colon and a sign":     {"urn:ek:sha256:RAzbOveN1Y45fYubuTxu5jOXWtOK1HbfZ7yHjBuWlyE=\n", []string{"urn:ek:sha256:RAzbOveN1Y45fYubuTxu5jOXWtOK1HbfZ7yHjBuWlyE="}, nil},
		"256 bytes":              {strings.Repeat("x", 256) + "\n", []string{strings.Repeat("X", 256)}, nil},
		"no line":                {"", nil, []string{noDevices}},
		"only a BOM":             {"\xef\xbb\xbf", nil, []string{noDevices}},
		"only blank lines":       {"\n  \r\n\t", nil, []string{noDevices}},
		"exact repeats":          {"C02\n\nC03\nc02\n C02 \n", []string{"C02", "C03"}, []string{"inventory PATH: line 4: exact repeat of a device (2 in the file)"}},
		"changed by a spreadsheet": {"C02\n1.23E+11\n'C03\n", []string{"C02"}, []string{
			`inventory PATH: line 2 ("1.23E+11"), line 3 ("'C03")` + alteredBySheet,
		}},
		"a header below": {"C02\nIdentifier\n", []string{"C02"}, []string{"inventory PATH: line 2" + secondHeader}},
		"comments": {"# our devices\nC02\n#C03\n", []string{"C02"}, []string{
			"inventory PATH: line 1, line 3: a list has no comments: the line is read as an identifier, which no device has; remove it",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, warnings := loaded(t, "lines", test.content)
			wantLines(t, "warnings", warnings, test.warnings)
			for _, id := range test.devices {
				wantData(t, p, id, `{}`)
			}
			for _, other := range []string{"C0", "02", "C022", "C", "-", "*"} {
				wantNotFound(t, p, other)
			}
			if device, err := p.Lookup(t.Context(), posture.Query{}); err == nil {
				t.Errorf("Lookup of the zero Identifier = %+v, want an error", device)
			}
		})
	}
}

func TestLinesRefused(t *testing.T) {
	t.Parallel()
	const (
		isCSV = "the file is CSV; set FILE_TYPE to csv"
		utf16 = "the file is UTF-16; save it as UTF-8"
	)
	for name, test := range map[string]struct {
		content string
		want    []string // after "inventory PATH: "
	}{
		"CSV":                   {"Identifier,name\nC02,ada\n", []string{isCSV}},
		"CSV, one column":       {"\r\n identifier \r\nC02\r\n", []string{isCSV}},
		"CSV, quoted":           {"\xef\xbb\xbf\"Identifier\",\"name\"\n", []string{isCSV}},
		"CSV, semicolons":       {"Identifier;name\nC02;ada\n", []string{isCSV}},
		"CSV, another header":   {"Serial Number,Name\nC02,ada\n", []string{"line 1: " + notAlone, "line 2: " + notAlone}},
		"a comma":               {"C02\n\nC03,\n", []string{"line 3: " + notAlone}},
		"a semicolon":           {"C02;ada\n", []string{"line 1: " + notAlone}},
		"a tab":                 {"C02\tada\n", []string{"line 1: " + notAlone}},
		"quotation marks":       {"\"C02\"\n", []string{"line 1: " + notAlone}},
		"JSON":                  {" {\"devices\":[]}", []string{"the file is JSON; set FILE_TYPE to json"}},
		"a JSON list":           {"[\"C02\"]", []string{"the file is JSON; set FILE_TYPE to json"}},
		"an error page":         {"\n<!DOCTYPE html>", []string{"the file is XML or HTML, perhaps an error page that was saved in place of the export; want CSV or JSON"}},
		"a spreadsheet":         {"PK\x03\x04\x14\x00", []string{"the file is a spreadsheet (.xlsx, .ods) or a ZIP archive; export it as CSV in UTF-8"}},
		"UTF-16":                {"\xff\xfeC\x000\x00", []string{utf16}},
		"UTF-16 without a BOM":  {"C\x000\x002\x00\n\x00", []string{utf16}},
		"NUL bytes":             {strings.Repeat("\x00", 100), []string{"the file begins with NUL bytes: it is damaged, write it again"}},
		"a NUL byte":            {"C02\nC0\x003\n", []string{"line 2: identifier has U+0000 (NUL) at position 3, want printable ASCII only"}},
		"carriage returns":      {"C02\rC03\r", []string{"the file has lines that end with a carriage return alone; save it with line ends of LF or CRLF"}},
		"a carriage return":     {"C02\nC03\rC04\n", []string{"line 2: identifier has U+000D (carriage return) at position 4, want printable ASCII only"}},
		"not UTF-8":             {"C02\nC\xff2\n", []string{"line 2: not valid UTF-8; save the file as UTF-8"}},
		"joined files":          {"\xef\xbb\xbfC02\n\xef\xbb\xbfC03\n", []string{"line 2: identifier has U+FEFF (byte-order mark) at position 1, want printable ASCII only"}},
		"a Cyrillic letter":     {"C02\n\u042102\n", []string{"line 2: identifier has U+0421 (a Cyrillic letter) at position 1, want printable ASCII only"}},
		"a zero-width space":    {"C02\u200b\n", []string{"line 1: identifier has U+200B (zero-width space) at position 4, want printable ASCII only"}},
		"257 bytes":             {strings.Repeat("x", 257), []string{"line 1: identifier is longer than 256 bytes"}},
		"every fault, in order": {"C02\n\nC\u00d6\nC04\n,\nC05\n", []string{"line 3: identifier has U+00D6 (Ö) at position 2, want printable ASCII only", "line 5: " + notAlone}},
		"more than are read":    {strings.Repeat("C,\n", 13), append(numbered("line %d: "+notAlone, 1, 10), "and 3 more")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, line := range test.want {
				test.want[i] = "inventory PATH: " + line
			}
			wantLines(t, "error", refused(t, "lines", test.content), test.want)
		})
	}
}

// TestLinesReload: a line that is removed takes the device out, also the last one; a broken list leaves the previous one.
func TestLinesReload(t *testing.T) {
	t.Parallel()
	c := written(t, "lines", "C02\nC03\n")
	p, _, err := file.New(c)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(content string) error {
		if err := os.WriteFile(string(c.Path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		next, err := p.Reload()
		if err == nil {
			next.Apply()
		}
		return err
	}
	if err := reload("C03\nC04\n"); err != nil {
		t.Fatal(err)
	}
	wantNotFound(t, p, "C02")
	wantData(t, p, "C04", `{}`)
	if err := reload("C05\nC06,ada\n"); err == nil {
		t.Error("a list with a comma is reloaded")
	}
	wantNotFound(t, p, "C05")
	wantData(t, p, "C04", `{}`)
	if err := reload("\n"); err != nil {
		t.Errorf("a list without a line: %v, want that nobody passes any more", err)
	}
	wantNotFound(t, p, "C04")
}

// TestLinesWithFacts: a policy learns from a list what it learns from a CSV file without columns: identifier, and managed.
func TestLinesWithFacts(t *testing.T) {
	t.Parallel()
	p, warnings := judged(t, "lines", "C02\n'C03\n")
	wantLines(t, "warnings", warnings, []string{`inventory PATH: line 2 ("'C03")` + alteredBySheet})
	csv, _ := judged(t, "csv", "Identifier\nC02\n")
	got, want := known(record(t, p, "c02", posture.AllFacts())), known(record(t, csv, "c02", posture.AllFacts()))
	if !reflect.DeepEqual(got, want) || got["device.managed"] != true || got["device.udid"] != nil {
		t.Errorf("the facts are %v, want those of a CSV file without columns, %v", got, want)
	}
}

package file_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestCSVAccepted(t *testing.T) {
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
			content: "Identifier,name,email\nC02,mac-ada,ada@example.com\nC03,mac-bob,bob@example.com\n",
			devices: map[string]string{
				"C02": `{"name":"mac-ada","email":"ada@example.com"}`,
				"C03": `{"name":"mac-bob","email":"bob@example.com"}`,
			},
		},
		{
			name:    "BOM, CRLF, no line end at the end",
			content: "\xef\xbb\xbfIdentifier,name\r\nC02,ada\r\nC03,bob",
			devices: map[string]string{"C02": `{"name":"ada"}`, "C03": `{"name":"bob"}`},
		},
		{
			name:    "BOM before a quoted header",
			content: "\xef\xbb\xbf\"Identifier\",\"name\"\r\n\"C02\",\"ada\"\r\n",
			devices: map[string]string{"C02": `{"name":"ada"}`},
		},
		{
			name:    "quoted fields with comma, quotation mark and line end",
			content: "Identifier,name,note\n\"C02\",\"Lovelace, Ada\",\"says \"\"hi\"\"\nand leaves\"\nC03,b,c\n",
			devices: map[string]string{
				"C02": `{"name":"Lovelace, Ada","note":"says \"hi\"\nand leaves"}`,
				"C03": `{"name":"b","note":"c"}`,
			},
		},
		{
			name:    "empty lines and lines of spaces, also before the end",
			content: "\nIdentifier,name\n\nC02,ada\n   \n\t\nC03,bob\n\n\n",
			devices: map[string]string{"C02": `{"name":"ada"}`, "C03": `{"name":"bob"}`},
		},
		{
			name:    "empty lines with CRLF",
			content: "Identifier,name\r\n\r\nC02,ada\r\n  \r\nC03,bob\r\n\r\n",
			devices: map[string]string{"C02": `{"name":"ada"}`, "C03": `{"name":"bob"}`},
		},
		{
			name:    "only identifiers",
			content: "Identifier\nC02\nC03\n",
			devices: map[string]string{"C02": `{}`, "C03": `{}`},
		},
		{
			name:    "only identifiers, empty lines between",
			content: "Identifier\n\nC02\n \nC03\n",
			devices: map[string]string{"C02": `{}`, "C03": `{}`},
		},
		{
			name:    "empty cells",
			content: "Identifier,a,b,c\nC02,,x,\nC03,\"\",,\n",
			devices: map[string]string{"C02": `{"a":"","b":"x","c":""}`, "C03": `{"a":"","b":"","c":""}`},
		},
		{
			name:    "header in another case, with spaces",
			content: " iDENTIFIER ,n\nC02,1\n",
			devices: map[string]string{"C02": `{"n":"1"}`},
		},
		{
			name:    "numbers, truth and null are strings, unchanged",
			content: "Identifier,a,b,c,d,e\nC02,12345678901234567890,1.10,007,true,null\n",
			devices: map[string]string{"C02": `{"a":"12345678901234567890","b":"1.10","c":"007","d":"true","e":"null"}`},
		},
		{
			name:    "Unicode and HTML in names and values",
			content: "Identifier,Prénom,<&>,😀\nC02,Zoë \u2028 日本,<b>&'</b>,👩‍💻\n",
			devices: map[string]string{"C02": "{\"Prénom\":\"Zoë \u2028 日本\",\"<&>\":\"<b>&'</b>\",\"😀\":\"👩‍💻\"}"},
		},
		{
			name:     "spaces in values are kept",
			content:  "Identifier,n\nC02,  ada \n",
			devices:  map[string]string{"C02": `{"n":"  ada "}`},
			warnings: []string{"inventory PATH: line 2: a value begins with a space, which is part of it; write commas without a space after them"},
		},
		{
			name:    "columns keep their order",
			content: "Identifier,z,a,M,1\nC02,1,2,3,4\n",
			devices: map[string]string{"C02": `{"z":"1","a":"2","M":"3","1":"4"}`},
		},
		{
			name:    "column names that differ in case are two names",
			content: "Identifier,Email,email\nC02,1,2\n",
			devices: map[string]string{"C02": `{"Email":"1","email":"2"}`},
		},
		{name: "header only", content: "Identifier,name\n", warnings: []string{noDevices}},
		{name: "header only, no line end", content: "Identifier", warnings: []string{noDevices}},
		{name: "header and empty lines only", content: "\xef\xbb\xbfIdentifier,name\r\n\r\n  \r\n", warnings: []string{noDevices}},
		{
			name:     "exact repeat",
			content:  "Identifier,n\nC02,1\nC03,2\nc02,1\nC02,1\n",
			devices:  map[string]string{"C02": `{"n":"1"}`, "C03": `{"n":"2"}`},
			warnings: []string{"inventory PATH: line 4: exact repeat of a device (2 in the file)"},
		},
		{
			name:    "identifier of 256 bytes",
			content: "Identifier\n" + strings.Repeat("x", 256) + "\n",
			devices: map[string]string{strings.Repeat("X", 256): `{}`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, warnings := loaded(t, "csv", test.content)
			wantLines(t, "warnings", warnings, test.warnings)
			for id, data := range test.devices {
				wantData(t, p, id, data)
			}
			wantNotFound(t, p, "Identifier")
		})
	}
}

func TestCSVRefused(t *testing.T) {
	t.Parallel()
	const (
		empty     = "the file is empty; the first line must be a header whose first column is Identifier"
		utf16     = "the file is UTF-16; save it as UTF-8"
		bareQuote = `bare " in non-quoted-field; put quotation marks around the whole field, right after the comma (a formula, ="…", comes from a spreadsheet: export the values)`
	)
	nul := func(line int) string {
		return fmt.Sprintf("line %d: a NUL byte in a value; the file is damaged, or is not text", line)
	}
	emptyRow := func(line int) string {
		return fmt.Sprintf("line %d: the row has only commas; delete it (spreadsheets write a row that was cleared, but not deleted)", line)
	}
	tests := []struct {
		name    string
		content string
		want    []string // after "inventory PATH: "
	}{
		{"empty file", "", []string{empty}},
		{"BOM only", "\xef\xbb\xbf", []string{empty}},
		{"empty lines only", "\n\r\n", []string{empty}},
		{"lines of spaces only", " \n\t\r\n", []string{empty}},
		{"no header", "C02,ada\nC03,bob\n", []string{`line 1: the first column is "C02", want Identifier; columns are separated by commas`}},
		{"no header, a serial number", "C02XK1JKLVCG,ada\n", []string{`line 1: the first column is "C02XK1JKLVCG", want Identifier; the header is missing: write a line with the names of the columns above, the first of them Identifier`}},
		{"no header, a UDID", "00008030-001C2D8E0F90802E\n", []string{`line 1: the first column is "00008030-001C2D8E0F90802E", want Identifier; the header is missing: write a line with the names of the columns above, the first of them Identifier, or set FILE_TYPE to lines`}},
		{"identifier in the second column", "name,Identifier\n", []string{`line 1: the first column is "name", want Identifier; make column 2, "Identifier", the first`}},
		{"semicolons", "Identifier;name\nC02;ada\n", []string{`line 1: the first column is "Identifier;name", want Identifier; columns are separated by commas, and not by semicolons`}},
		{"semicolons, and a comma in a name", "Identifier;name, first\n", []string{`line 1: the first column is "Identifier;name", want Identifier; columns are separated by commas, and not by semicolons`}},
		{"semicolons, quoted", "\"Identifier\";\"name\"\n", []string{"the file has columns that are separated by semicolons, want commas"}},
		{"tabs", "Identifier\tname\nC02\tada\n", []string{`line 1: the first column is "Identifier\tname", want Identifier; columns are separated by commas, and not by tabs`}},
		{"semicolons, other names", "Serial Number;name\n", []string{`line 1: the first column is "Serial Number;name", want Identifier; columns are separated by commas, and not by semicolons`}},
		{"a comment", "# our devices\nIdentifier,name\n", []string{`line 1: the first column is "# our devices", want Identifier; if the line is a comment, remove it: CSV has no comments`}},
		{"a line for Excel", "sep=,\nIdentifier,name\n", []string{`line 1: the first column is "sep=", want Identifier; remove the line, which only Excel understands`}},
		{"an export of serial numbers", "Serial Number,Name\n", []string{`line 1: the first column is "Serial Number", want Identifier; rename it`}},
		{"an export with serial numbers", "Computer Name,Jamf Pro ID,Serial Number\n", []string{`line 1: the first column is "Computer Name", want Identifier; rename column 3, "Serial Number", to Identifier and make it the first`}},
		{"identifier in the third column", "Name,Serial Number,identifier \n", []string{`line 1: the first column is "Name", want Identifier; make column 3, "identifier", the first`}},
		{"header after a line of spaces", "  \nserial\n", []string{`line 2: the first column is "serial", want Identifier; rename it`}},
		{"header after an empty line", "\n\nserial\n", []string{`line 3: the first column is "serial", want Identifier; rename it`}},
		{"UTF-16", "\xff\xfeI\x00d\x00", []string{utf16}},
		{"UTF-16, big-endian", "\xfe\xff\x00I\x00d", []string{utf16}},
		{"UTF-16 without a BOM", "I\x00d\x00e\x00n\x00", []string{utf16}},
		{"UTF-16 without a BOM, big-endian", "\x00I\x00d\x00e\x00n", []string{utf16}},
		{"a carriage return at each line's end", "Identifier,a\rC02,1\r", []string{"the file has lines that end with a carriage return alone; save it with line ends of LF or CRLF"}},
		{"JSON", " {\"devices\":[]}", []string{"the file is JSON; set FILE_TYPE to json"}},
		{"a spreadsheet", "PK\x03\x04\x14\x00", []string{"the file is a spreadsheet (.xlsx, .ods) or a ZIP archive; export it as CSV in UTF-8"}},
		{"an error page", "\n<!DOCTYPE html>", []string{"the file is XML or HTML, perhaps an error page that was saved in place of the export; want CSV or JSON"}},
		{"NUL bytes", strings.Repeat("\x00", 100), []string{"the file begins with NUL bytes: it is damaged, write it again"}},
		{"NUL bytes at the end", "Identifier,a\nC02,x\n\x00\x00,\x00", []string{"line 3: identifier has U+0000 (NUL) at position 1, want printable ASCII only"}},
		{"NUL byte in a value", "Identifier,a\nC02,x\nC03,\x00\nC04,y\n", []string{nul(3)}},
		{"NUL byte in a value in quotation marks", "Identifier,a\nC02,\"x\x00\"\n", []string{nul(2)}},
		{"NUL byte in a column name", "Identifier,a\x00\n", []string{"line 1: the name of column 2 has a line break or a NUL byte in it; lines end with LF or CRLF"}},
		{"column name twice, with spaces", "Identifier,a, a\n", []string{`line 1: column 3 repeats the name "a"`}},
		{"rows of commas", "Identifier,a,b\nC02,1,2\n,,\n , ,\n\"\",,\n", []string{emptyRow(3), emptyRow(4), emptyRow(5)}},
		{"joined files, with their BOMs", "\xef\xbb\xbfIdentifier\nC02\n\xef\xbb\xbfIdentifier\nC03\n", []string{"line 3: identifier has U+FEFF (byte-order mark) at position 1, want printable ASCII only"}},
		{"identifier with a no-break space", "Identifier\nC02\u00a03\n", []string{"line 2: identifier has U+00A0 (no-break space) at position 4, want printable ASCII only"}},
		{"identifier with a zero-width space", "Identifier\n\u200bC023\n", []string{"line 2: identifier has U+200B (zero-width space) at position 1, want printable ASCII only"}},
		{"identifier in full width", "Identifier\nC\uff10\uff12\n", []string{"line 2: identifier has U+FF10 (full-width 0) at position 2, want printable ASCII only"}},
		{"identifier with a Cyrillic letter", "Identifier\n\u042102\n", []string{"line 2: identifier has U+0421 (a Cyrillic letter) at position 1, want printable ASCII only"}},
		{"identifier with a carriage return", "Identifier\nC02\rC03\n", []string{"line 2: identifier has U+000D (carriage return) at position 4, want printable ASCII only"}},
		{"a formula that is not quoted", "Identifier,a\n=\"C02\",1\n", []string{`line 2: column 2: ` + bareQuote}},
		{"a space before a quoted field", "Identifier,a\nC02, \"x\"\n", []string{`line 2: column 6: ` + bareQuote}},
		{"empty column name", "Identifier,a,\nC02,1,2\n", []string{"line 1: column 3 has no name; name it, or delete the column"}},
		{"column name of spaces", "Identifier, ,b\n", []string{"line 1: column 2 has no name; name it, or delete the column"}},
		{"column name twice", "Identifier,a,b,a\n", []string{`line 1: column 4 repeats the name "a"`}},
		{"identifier column twice", "Identifier,a,IDENTIFIER\n", []string{`line 1: column 3 repeats the name "IDENTIFIER"`}},
		{"column name that is not UTF-8", "Identifier,caf\xe9\n", []string{"line 1: not valid UTF-8; save the file as UTF-8"}},
		{"value that is not UTF-8", "Identifier,a\nC02,x\nC03,caf\xe9\n", []string{"line 3: not valid UTF-8; save the file as UTF-8"}},
		{"identifier that is not UTF-8", "Identifier\nC\xff2\n", []string{"line 2: not valid UTF-8; save the file as UTF-8"}},
		{"too few fields", "Identifier,a,b\nC02,1,2\nC03,1\n", []string{"line 3: 2 fields, but the header has 3"}},
		{"too many fields", "Identifier,a\nC02,1,2\n", []string{"line 2: 3 fields, but the header has 2"}},
		{"empty identifier", "Identifier,a\n,1\n", []string{"line 2: identifier is empty"}},
		{"identifier of spaces in quotation marks, alone", "Identifier\n\"  \"\n", []string{"line 2: identifier is empty"}},
		{"identifier of spaces", "Identifier,a\n\" \t\",1\n", []string{"line 2: identifier is empty"}},
		{"empty identifier in quotation marks", "Identifier\n\"\"\n", []string{"line 2: identifier is empty"}},
		{"identifier with a control character", "Identifier\nC0\x002\n", []string{"line 2: identifier has U+0000 (NUL) at position 3, want printable ASCII only"}},
		{"identifier with an umlaut", "Identifier\nC02Ä\n", []string{"line 2: identifier has U+00C4 (Ä) at position 4, want printable ASCII only"}},
		{"identifier of 257 bytes", "Identifier\n" + strings.Repeat("x", 257) + "\n", []string{"line 2: identifier is longer than 256 bytes"}},
		{"same identifier, other data", "Identifier,a\nC02,1\nC03,1\nC02,2\n", []string{`line 4: duplicate identifier "C02" with different data`}},
		{"same identifier in another case, other data", "Identifier,a\nC02,1\nc02,2\n", []string{`line 3: duplicate identifier "c02" with different data`}},
		{
			"every fault, with the line on which its row begins",
			"Identifier,a\r\n\r\n\"C02\",\"two\nlines\"\r\nC03\r\n,x\r\nC02,y\r\n",
			[]string{
				"line 5: 1 fields, but the header has 2",
				"line 6: identifier is empty",
				`line 7: duplicate identifier "C02" with different data`,
			},
		},
		{"quotation mark in a plain field", "Identifier,a\nC02,x\nC03,5\" disk\n", []string{`line 3: column 6: ` + bareQuote}},
		{"text after a quoted field", "Identifier,a\nC02,\"x\"y\n", []string{`line 2: column 7: a quoted field ends with a quotation mark right before the comma; write a quotation mark that belongs to the value twice, ""`}},
		{
			// The line on which the row begins: the file ends far from the fault.
			"quoted field that is never closed",
			"Identifier,a\nC02,x\nC03,\"y\n" + strings.Repeat("C04,z\n", 100),
			[]string{`line 3: a quoted field is never closed (noticed at line 103, column 7); it ends with a quotation mark right before the comma`},
		},
		{
			"more faults than an operator reads",
			"Identifier,a\n" + strings.Repeat("C02\n", 13),
			append(numbered("line %d: 1 fields, but the header has 2", 2, 11), "and 3 more"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for i, line := range test.want {
				test.want[i] = "inventory PATH: " + line
			}
			wantLines(t, "error", refused(t, "csv", test.content), test.want)
		})
	}
}

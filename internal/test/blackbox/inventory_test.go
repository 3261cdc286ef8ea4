package blackbox_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"step-posture-connector/internal/test/program"
)

// Common mistakes in an inventory file, and the output of check.
func TestInventoryMistakes(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t))
	const utf16 = `FILE_PATH: inventory \S+: the file is UTF-16; save it as UTF-8`
	for name, test := range map[string]struct {
		kind, content string
		code          int
		want          string // regular expression, of a line of the output
	}{
		"semicolons":                {"csv", "Identifier;department\nC02;x\n", 1, `line 1: .+; columns are separated by commas, and not by semicolons`},
		"tabs":                      {"csv", "Identifier\tdepartment\nC02\tx\n", 1, `line 1: .+; columns are separated by commas, and not by tabs`},
		"no header":                 {"csv", "C02XK1JKLVCG,x\n", 1, `line 1: .+; the header is missing: .+ Identifier`},
		"UTF-16":                    {"csv", "\xff\xfeI\x00d\x00e\x00n\x00", 1, utf16},
		"UTF-16, no BOM":            {"csv", "I\x00d\x00e\x00n\x00", 1, utf16},
		"UTF-16, JSON":              {"json", "\xff\xfe{\x00\"\x00d\x00e\x00", 1, utf16},
		"Latin-1":                   {"csv", "Identifier,a\nC02,caf\xe9\n", 1, `line 2: not valid UTF-8; save the file as UTF-8`},
		"an export of Jamf":         {"csv", "Serial Number,Model\nC02,x\n", 1, `line 1: the first column is "Serial Number", want Identifier; rename it`},
		"an export, other order":    {"csv", "Name,Serial Number\nx,C02\n", 1, `line 1: .+; rename column 2, "Serial Number", to Identifier and make it the first`},
		"Identifier second":         {"csv", "Name,Identifier\nx,C02\n", 1, `line 1: .+; make column 2, "Identifier", the first`},
		"spaces after commas":       {"csv", "Identifier, email, department\nC02HARNESS01, ada@example.com, Design\n", 0, `warning: .*line 1: spaces around column names are removed: "email", "department"`},
		"spaces before values":      {"csv", "Identifier, email, department\nC02HARNESS01, ada@example.com, Design\n", 0, `warning: .*line 2: a value begins with a space`},
		"another column name":       {"csv", "Identifier,Department,e-mail\nC02,x,y\n", 0, `provider file: 1 devices? in \S+, with the columns Department, "e-mail"`},
		"comma at the end":          {"json", "{\"devices\":[\n  {\"identifier\":\"C02\"},\n]}", 1, `line 2, column 23: not valid JSON: a trailing comma; remove it`},
		"numbers of a spreadsheet":  {"csv", "Identifier\n1.23E+11\nC02\n", 0, `warning: .*line 2 \("1\.23E\+11"\): a spreadsheet has changed the identifier`},
		"formulas of a spreadsheet": {"csv", "Identifier,email\n\"=\"\"C02HARNESS01\"\"\",ada@example.com\n", 0, `warning: .*line 2 \("=\\"C02HARNESS01\\""\): a spreadsheet has changed the identifier`},
		"rows of commas":            {"csv", "Identifier,a\nC02,x\n,\n", 1, `line 3: the row has only commas; delete it`},
		"no-break space":            {"csv", "Identifier\nC02\u00a0X\n", 1, `line 2: identifier has U\+00A0 \(no-break space\) at position 4`},
		"JSON as csv":               {"csv", `{"devices":[]}`, 1, `the file is JSON; set FILE_TYPE to json`},
		"CSV as json":               {"json", "Identifier\nC02\n", 1, `the file is CSV; set FILE_TYPE to csv`},
		"data beside the member":    {"json", `{"devices":[{"identifier":"C02","email":"ada@example.com"}]}`, 0, `warning: .*devices\[0\]: no member "data"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "devices."+test.kind)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			r := program.Run(t, env.With("FILE_PATH", path, "FILE_TYPE", test.kind), t.TempDir(), "check")
			if r.Code != test.code {
				t.Errorf("exit code %d, want %d", r.Code, test.code)
			}
			if output := r.Stdout + r.Stderr; !regexp.MustCompile(`(?m)^.*` + test.want + `.*$`).MatchString(output) {
				t.Errorf("got\n%s\nwant a line that matches %s", output, test.want)
			}
		})
	}
}

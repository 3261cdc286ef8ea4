package file_test

import (
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/file"
)

const (
	alteredBySheet = ": a spreadsheet has changed the identifier, and the device will be refused; format the column as text before filling it, and export the plain values"
	secondHeader   = ": a second header, read as a device; were files joined?"
	leadingSpaces  = ": a value begins with a space, which is part of it; write commas without a space after them"
	strayMembers   = `: no member "data", and the other members are ignored; put what step-ca should get into "data"`
)

// Entries that are accepted but probably not meant cause a warning with the first places and their number.
func TestWarnings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, kind, content string
		want                []string // after "inventory PATH: "
	}{
		{"spaces after commas", "csv", "Identifier, email, department\nC02HARNESS01, ada@example.com, Design\n", []string{
			`line 1: spaces around column names are removed: "email", "department"`, "line 2" + leadingSpaces,
		}},
		{"invisible characters around column names", "csv", "\ufeff\ufeffIdentifier,a\u00a0,\u200bb\n", []string{
			"it has no devices; every request will be refused",
			`line 1: spaces around column names are removed: "a", "b"`,
		}},
		{"many column names with spaces", "csv", "Identifier" + strings.Join(numbered(", c%d", 1, 12), "") + "\nC02,,,,,,,,,,,,\n", []string{
			`line 1: spaces around column names are removed: "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", and 2 more`,
		}},
		{"spaces before some values", "csv", "Identifier,a,b\nC02,1, 2\nC03,\" x\",\"y, z\"\nC04, ,1\nC05, 1, 2\nC06,1 ,2\n", []string{
			"line 2, line 3, line 4 and 1 more" + leadingSpaces,
		}},
		{"spaces that are not the first of a value", "csv", "Identifier,a\nC02,\"Research, Advanced\"\nC03 ,a b \n", nil},
		{"formulas", "csv", "Identifier,email\n\"=\"\"C02HARNESS01\"\"\",ada@example.com\n", []string{`line 2 ("=\"C02HARNESS01\"")` + alteredBySheet}},
		{"apostrophes", "csv", "Identifier\n'C02HARNESS01\nC02HARNESS02\n", []string{`line 2 ("'C02HARNESS01")` + alteredBySheet}},
		{"numbers", "csv", "Identifier\n6.9E+12\n1.23E+11\n\"1,23E+11\"\n1e+10\n12345678.0\n#N/A\n", []string{
			`line 2 ("6.9E+12"), line 3 ("1.23E+11"), line 4 ("1,23E+11") and 3 more` + alteredBySheet,
		}},
		{"numbers, as JSON", "json", `{"devices":[{"identifier":"C02"},{"identifier":"6.9E+12"},{"identifier":"=\"C02\""}]}`, []string{
			`devices[1] ("6.9E+12"), devices[2] ("=\"C02\"")` + alteredBySheet,
		}},
		{
			"identifiers that only look like them", "csv",
			"Identifier\n12345678\n0\n1E\n1E+\nE+11\n1E10\n12E+1\n1.2\n1.0.0\n\"1,5\"\n1.2E+1x\n1.xE+11\n#5\n#\nC02='\n00008030-001C2D8E0F90802E\nurn:ek:sha256:RAzbOveN1Y45fYubuTxu5jOXWtOK1HbfZ7yHjBuWlyE=\n", nil,
		},
		{"a second header", "csv", "Identifier,a\nC02,1\nidentifier,a\nC03,1\n", []string{"line 3" + secondHeader}},
		{"members beside the identifier", "json", `{"devices":[{"identifier":"A"},{"identifier":"B","email":"b@example.com"},{"identifier":"C","Data":{"a":1}},{"identifier":"D","data":{},"email":"x"},{"identifier":"E","data":null,"email":"x"}]}`, []string{
			"devices[1], devices[2]" + strayMembers,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, warnings := loaded(t, test.kind, test.content)
			for i, line := range test.want {
				test.want[i] = "inventory PATH: " + line
			}
			wantLines(t, "warnings", warnings, test.want)
		})
	}
}

// The names of columns lose the spaces around them.
func TestColumnNamesAreTrimmed(t *testing.T) {
	t.Parallel()
	p, _ := loaded(t, "csv", "Identifier, email,department \nC02HARNESS01,ada@example.com,Design\n")
	wantData(t, p, "C02HARNESS01", `{"email":"ada@example.com","department":"Design"}`)
}

// Check lists the columns as templates must name them.
func TestFoundNamesTheColumns(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"Identifier": "",
		"Identifier,e-mail,job title,department,Büro,_x1,1st":     `, with the columns "e-mail", "job title", department, Büro, _x1, "1st"`,
		"Identifier,department":                                   ", with the column department",
		"Identifier,a\u202eb":                                     `, with the column "a\u202eb"`,
		"Identifier," + strings.Join(numbered("c%d", 1, 14), ","): ", with the columns c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, and 4 more",
	} {
		c := written(t, "csv", header+"\n")
		p, _, err := file.New(c)
		if err != nil {
			t.Fatal(err)
		}
		found, _, err := p.Check(t.Context())
		if want := fmt.Sprintf("0 devices in %s%s", c.Path, want); err != nil || found != want {
			t.Errorf("Check() = %q, %v, want %q", found, err, want)
		}
	}
}

package file_test

import (
	"fmt"
	"testing"

	"step-posture-connector/internal/posture"
)

// Escapes are undone in every column of a file with facts, and in none of a file without.
func TestEscapes(t *testing.T) {
	t.Parallel()
	const rows = "'=C02,'+1,'-x,\"'\"\"a,\\nb\"\"\"\n  'C03 ,',@y,'' z \n\"'\"\"C,04\"\"\",\"a,b\",\"'a, 'b\",\"'\"\"c\"\n"
	p, warnings := judged(t, "csv", "Identifier,a,device.name,user.username\n"+rows)
	wantLines(t, "warnings", warnings, nil)
	for id, want := range map[string]struct {
		a              string
		name, username any
	}{
		"=c02": {"+1", "-x", "a,\nb"},
		"C03":  {"", "@y", "' z "},
		"c,04": {"a,b", "a, 'b", `"c`},
	} {
		device := record(t, p, id, posture.AllFacts()|posture.Document)
		got := known(device)
		if got["device.name"] != want.name || got["user.username"] != want.username || string(device.Data) != fmt.Sprintf(`{"a":%q}`, want.a) {
			t.Errorf("%s is %v with data %s, want %+v", id, got, device.Data, want)
		}
		if text, ok := got["device.attributes"].(map[string]string)["a"]; text != want.a || ok != (want.a != "") {
			t.Errorf("%s has the attribute %q, %v, want %q", id, text, ok, want.a)
		}
	}
	for _, id := range []string{"'=C02", "'C03", `'"C,04"`} {
		wantNotFound(t, p, id)
	}

	const altered = ` ("'=C02"), line 3 ("'C03"), line 4 ("'\"C,04\""): a spreadsheet has changed the identifier, and the device will be refused; ` +
		"format the column as text before filling it, and export the plain values"
	plain, warnings := judged(t, "csv", "Identifier,a,b,c\n"+rows)
	wantLines(t, "warnings without facts", warnings, []string{"inventory PATH: line 2" + altered})
	wantData(t, plain, "'=C02", `{"a":"'+1","b":"'-x","c":"'\"a,\\nb\""}`)
	attributes, _ := record(t, plain, "'C03", posture.AllFacts()).Facts.Attributes.Get()
	if attributes["a"] != "'" || attributes["c"] != "'' z " {
		t.Errorf("the attributes of a file without facts are %q", attributes)
	}
	unread, _ := loaded(t, "csv", "Identifier,a,device.name,user.username\n"+rows)
	wantData(t, unread, "'C03", `{"a":"'","device.name":"@y","user.username":"'' z "}`)
}

// Columns and device.attributes together are the attributes; nothing in both is unknown.
func TestAttributesOfACell(t *testing.T) {
	t.Parallel()
	p, warnings := judged(t, "csv", "Identifier,team,device.attributes\nC02,blue,\"{\"\"n\"\":1.10,\"\"list\"\":[ 1, null ],\"\"o\"\":{ \"\"a\"\":{} },\"\"yes\"\":true,\"\"none\"\":null,\"\"text\"\":\"\"=1\"\"}\"\nC03,blue,\nC04,,\nC05,,{}\n")
	wantLines(t, "warnings", warnings, nil)
	for id, want := range map[string]map[string]any{
		"C02": {"device.attributes": map[string]string{"team": "blue", "n": "1.10", "list": "[1,null]", "o": `{"a":{}}`, "yes": "true", "text": "=1"}},
		"C03": {"device.attributes": map[string]string{"team": "blue"}},
		"C04": {},
		"C05": {"device.attributes": map[string]string{}},
	} {
		wantFacts(t, id, record(t, p, id, posture.AllFacts()), want)
	}
	wantData(t, p, "C02", `{"team":"blue"}`)
}

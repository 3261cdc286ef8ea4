package httpjson_test

import (
	"strings"
	"testing"
)

// TestIdentityIsOfTheRecord: the identifier that is compared must come from the answer. What was asked for would be compared
// with itself, and every record would be the device's.
func TestIdentityIsOfTheRecord(t *testing.T) {
	t.Parallel()
	const section = `
base_url: https://assets.example.org
vars: {serial: C02}
request: {path: "/v1/{{serial}}"}
select: {items: "ITEMS", more: "false"}
map: {device.serial_number: 'IDENTITY', device.managed: "MANAGED"}
`
	for _, row := range []struct{ items, identity, managed, want string }{
		{"[body]", "item.sn", "asked != \"\"", ""}, // a fact may read it
		{"[body]", "item.?sn", "true", ""},
		{"[body]", "asked", "true", `map.device.serial_number: unknown name "asked"`},
		{"[body]", "item.?sn.orValue(asked)", "true", `map.device.serial_number: unknown name "asked"`},
		{"[body]", `item.sn == "" ? asked : item.sn`, "true", `unknown name "asked"`},
		{"[body]", `"C02"`, "true", "map.device.serial_number: the identifier of a record is not read from the record"},
		{"[body]", "vars.serial", "true", "is not read from the record"},
		{"[body]", "body.sn", "true", "is not read from the record"},
		{"[body]", "text", "true", "is not read from the record"},
		{"[body]", "[body].map(item, item.sn)[0]", "true", `the name "item" has a meaning already`},
		{"[{'sn': asked}]", "item.sn", "true", `select.items: unknown name "asked"`},
		{"[body].map(d, asked)", "item", "true", `select.items: unknown name "asked"`},
		{"[body]", "item.sn", "[true].exists(asked, asked)", `the name "asked" has a meaning already`},
	} {
		text := strings.NewReplacer("ITEMS", row.items, "IDENTITY", row.identity, "MANAGED", strings.ReplaceAll(row.managed, `"`, `\"`)).Replace(section)
		_, _, faults := read(t, text)
		if row.want == "" && faults != "" || !strings.Contains(faults, row.want) {
			t.Errorf("items %s, identifier %s, managed %s: faults %q, want %q", row.items, row.identity, row.managed, faults, row.want)
		}
	}
}

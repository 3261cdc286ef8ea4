package sqlquery_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// one looks a record up that a query makes of expressions, without a table: alias to expression.
func one(t *testing.T, b *backend, columns map[string]string) (posture.Device, error) {
	t.Helper()
	parameter := "$"
	if b.driver == "postgres" {
		parameter = "CAST($ AS text)"
	}
	all := []string{parameter + " AS device_identifier"}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		all = append(all, columns[name]+" AS "+name)
	}
	return lookup(t, open(t, b.config("SELECT "+strings.Join(all, ", "), "")), "C02XK1ABJHD2")
}

// values: what a database says becomes a fact, is unknown, or is a fault.
func values(t *testing.T, b *backend) {
	t.Helper()
	seen := time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC)
	const fault = "fault"
	rows := []struct {
		fact, expression string
		want             any // nil: unknown
		only             string
	}{
		{"device.managed", "'true'", true, ""},
		{"device.managed", "'T'", true, ""},
		{"device.managed", "'yes'", true, ""},
		{"device.managed", "'Y'", true, ""},
		{"device.managed", "1", true, ""},
		{"device.managed", "'1'", true, ""},
		{"device.managed", "(1 = 1)", true, ""},
		{"device.managed", "TRUE", true, ""},
		{"device.managed", "'false'", false, ""},
		{"device.managed", "'f'", false, ""},
		{"device.managed", "'No'", false, ""},
		{"device.managed", "'n  '", false, ""},
		{"device.managed", "0", false, ""},
		{"device.managed", "FALSE", false, ""},
		{"device.managed", "NULL", nil, ""},
		{"device.managed", "''", nil, ""},
		{"device.managed", "'maybe'", fault, ""},
		{"device.managed", "2", fault, ""},
		{"device.managed", "-1", fault, ""},
		{"device.managed", "'on'", fault, ""},
		{"device.managed", "0.5", fault, ""},
		{"device.last_seen", "'2026-01-31T15:04:05Z'", seen, ""},
		{"device.last_seen", "'2026-01-31T16:04:05+01:00'", seen, ""},
		{"device.last_seen", "'2026-01-31T16:04:05+0100'", seen, ""},
		{"device.last_seen", "'2026-01-31 15:04:05'", seen, ""},
		{"device.last_seen", "'2026-01-31 15:04:05.678'", seen, ""},
		{"device.last_seen", "'2026-01-31 15:04:05 UTC'", seen, ""},
		{"device.last_seen", "'2026-01-31'", seen.Truncate(24 * time.Hour), ""},
		{"device.last_seen", "1769871845", seen, ""},
		{"device.last_seen", "'1769871845'", seen, ""},
		{"device.last_seen", "1769871845678", seen, ""},
		{"device.last_seen", "NULL", nil, ""},
		{"device.last_seen", "''", nil, ""},
		{"device.last_seen", "0", nil, ""},
		{"device.last_seen", "'0000-00-00 00:00:00'", nil, ""},
		{"device.last_seen", "'2099-01-01'", nil, ""},
		{"device.last_seen", "'yesterday'", fault, ""},
		{"device.last_seen", "'31.01.2026'", fault, ""},
		{"device.last_seen", "'2026-01-31 15:04:05 EST'", fault, ""},
		{"device.last_seen", "TIMESTAMP '2026-01-31 15:04:05'", seen, "postgres"},
		{"device.last_seen", "TIMESTAMPTZ '2026-01-31 16:04:05.9+01'", seen, "postgres"},
		{"device.last_seen", "DATE '2026-01-31'", seen.Truncate(24 * time.Hour), "postgres"},
		{"device.last_seen", "TIMESTAMP 'infinity'", nil, "postgres"},
		{"device.last_seen", "CAST('2026-01-31 15:04:05' AS DATETIME)", seen, "mysql"},
		{"device.os_version", "'15.4.1'", "15.4.1", ""},
		{"device.os_version", "'macOS 15.4'", nil, ""},
		{"device.os_version", "15", "15", ""},
		{"device.os", "'macOS'", "macOS", ""},
		{"device.os", "'darwin'", nil, ""},
		{"device.ownership", "'personal'", "personal", ""},
		{"device.name", "'Ana''s Mac'", "Ana's Mac", ""},
		{"device.name", "''", nil, ""},
		{"device.name", "NULL", nil, ""},
		{"device.name", "'  '", nil, ""},
		{"device.model", "CAST('Mac' AS CHAR(9))", "Mac", ""},
		{"user.email_address", "'ana@example.com'", "ana@example.com", ""},
		{"device.serial_number", "12345678901234567", "12345678901234567", ""},
		{"device.groups", "'[\"a\", \"b, c\", null]'", []string{"a", "b, c"}, ""},
		{"device.groups", "'a, b,,a '", []string{"a", "b"}, ""},
		{"device.groups", "'[]'", []string{}, ""},
		{"device.groups", "''", nil, ""},
		{"device.groups", "NULL", nil, ""},
		{"device.groups", "'[\"a\"'", fault, ""},
		{"device.groups", "'[1]'", fault, ""},
		{"device.groups", "ARRAY['a, b', NULL, '\"x\"', '{y}', 'NULL']", []string{"a, b", `"x"`, "{y}", "NULL"}, "postgres"},
		{"device.groups", "CAST('{}' AS varchar[])", []string{}, "postgres"},
		{"device.groups", "CAST('[\"a\"]' AS jsonb)", []string{"a"}, "postgres"},
		{"device.groups", "CAST('{\"a\":1}' AS json)", fault, "postgres"},
		{"device.groups", "CAST(NULL AS text[])", nil, "postgres"},
		{"device.groups", "ARRAY[7, 8]", []string{"7", "8"}, "postgres"},
	}
	for _, row := range rows {
		if row.only != "" && row.only != b.driver {
			continue
		}
		t.Run(row.fact+" "+row.expression, func(t *testing.T) {
			t.Parallel()
			d, err := one(t, b, map[string]string{strings.Replace(row.fact, ".", "_", 1): row.expression})
			if row.want == fault {
				if err == nil || errors.Is(err, posture.ErrNotFound) || !strings.Contains(err.Error(), "the column "+strings.Replace(row.fact, ".", "_", 1)) {
					t.Errorf("Lookup = %v, want a fault about the column", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			value, known := value(t, row.fact, d)
			if known != (row.want != nil) || known && fmt.Sprint(value) != fmt.Sprint(row.want) {
				t.Errorf("%s is %v (known: %v), want %v", row.fact, value, known, row.want)
			}
		})
	}
	attributes(t, b)
}

func value(t *testing.T, fact string, d posture.Device) (any, bool) {
	t.Helper()
	for _, definition := range posture.Vocabulary() {
		if definition.Name == fact {
			return definition.Get(&d)
		}
	}
	t.Fatalf("no fact %s", fact)
	return nil, false
}

func attributes(t *testing.T, b *backend) {
	t.Helper()
	columns := map[string]string{"asset_tag": "'A 7'", "floor": "3", "spare": "NULL", "note": "''"}
	want := map[string]string{"asset_tag": "A 7", "floor": "3"}
	if b.driver == "postgres" {
		columns["tags"], want["tags"] = "ARRAY['a', NULL, 'b']", `["a",null,"b"]`
		columns["more"], want["more"] = `CAST('{"b": 1, "a": [true]}' AS json)`, `{"b":1,"a":[true]}`
		columns["flag"], want["flag"] = "TRUE", "true"
		columns["price"], want["price"] = "CAST(12.50 AS numeric)", "12.50"
	}
	d, err := one(t, b, columns)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := d.Facts.Attributes.Get(); !maps.Equal(got, want) {
		t.Errorf("the attributes are %q, want %q", got, want)
	}
}

// A fact that nobody reads harms nobody, except those that are judged without a rule.
func records(t *testing.T, b *backend) {
	t.Helper()
	table := b.table(t, "serial_number CHAR(20), seen VARCHAR(40), team VARCHAR(40), compliant VARCHAR(10)")
	insert := func(values ...any) { b.insert(t, table, "serial_number, seen, team, compliant", values...) }
	p := open(t, b.config("SELECT serial_number AS device_serial_number, seen AS device_last_seen, team AS device_groups, compliant AS device_compliant FROM "+table+" WHERE serial_number = $", ""))

	insert("AAAA0001", "2026-01-02", "one", "1")
	insert("AAAA0001", "2026-01-02", "two", "1")
	insert("AAAA0001", "2026-01-02", nil, "1")
	d := finds(t, p, "AAAA0001")
	if groups, _ := d.Facts.Groups.Get(); !slices.Equal(slices.Sorted(slices.Values(groups)), []string{"one", "two"}) || d.Identifier != "AAAA0001" {
		t.Errorf("the record of %q has groups %q, want those of all rows", d.Identifier, groups)
	}

	insert("AAAA0002", "2026-01-02", "old", "0")
	insert("AAAA0002", "2026-01-03", "new", "1")
	insert("AAAA0002", nil, "none", "0")
	if groups, _ := finds(t, p, "AAAA0002").Facts.Groups.Get(); !slices.Equal(groups, []string{"new"}) {
		t.Errorf("the groups are %q, want those of the newest record", groups)
	}

	insert("AAAA0003", "2026-01-03", "a", "0")
	insert("AAAA0003", "2026-01-03", "b", "1")
	insert("AAAA0004", nil, "a", "0")
	insert("AAAA0004", nil, "b", "1")
	for _, tie := range []string{"AAAA0003", "AAAA0004"} {
		if _, err := lookup(t, p, tie); !errors.Is(err, posture.ErrAmbiguous) {
			t.Errorf("Lookup(%q) = %v, want ErrAmbiguous", tie, err)
		}
	}

	insert("AAAA0005", "2026-01-03", "a", "perhaps")
	fails(t, p, "AAAA0005", "the column device_compliant: it is no flag")
	q := asking(t, "AAAA0005")
	q.Facts = posture.MustFacts("device.groups")
	if _, err := p.Lookup(t.Context(), q); err != nil {
		t.Errorf("Lookup without the fact = %v, want the device", err)
	}

	insert("AAAA0006", "soon", "a", "0")
	insert("AAAA0006", "2026-01-03", "b", "1")
	fails(t, p, "AAAA0006", "the column device_last_seen: it is no time")

	if b.driver == "mysql" {
		bits := b.table(t, "serial_number VARCHAR(40), managed BIT(1), seen DATETIME, enrolled TIMESTAMP NULL")
		b.exec(t, "INSERT INTO "+bits+" VALUES ('AAAA0001', b'1', '2026-01-31 15:04:05', '2026-01-31 15:04:05'), ('AAAA0002', b'0', '2026-01-31 15:04:05', NULL)")
		b.exec(t, "INSERT IGNORE INTO "+bits+" VALUES ('AAAA0003', NULL, '0000-00-00 00:00:00', NULL)")
		p := open(t, b.config("SELECT serial_number AS device_identifier, managed AS device_managed, seen AS device_last_seen, enrolled AS device_enrolled_at FROM "+bits+" WHERE serial_number = $", ""))
		for serial, want := range map[string]string{"AAAA0001": "true 2026-01-31 15:04:05 +0000 UTC", "AAAA0002": "false 2026-01-31 15:04:05 +0000 UTC", "AAAA0003": "false 0001-01-01 00:00:00 +0000 UTC"} {
			d := finds(t, p, serial)
			managed, _ := d.Facts.Managed.Get()
			seen, _ := d.Facts.LastSeen.Get()
			if got := fmt.Sprint(managed, " ", seen); got != want {
				t.Errorf("managed and last_seen of %q are %q, want %q", serial, got, want)
			}
		}
	}

	// A row without identifier may be about the device.
	blank := open(t, b.config("SELECT NULL AS device_identifier, $ AS device_name", ""))
	if b.driver == "postgres" {
		blank = open(t, b.config("SELECT NULL AS device_identifier, CAST($ AS text) AS device_name", ""))
	}
	fails(t, blank, "AAAA0001", "a row has no identifier")
}

// collations: a comparison of the database may find another device, which is none.
func collations(t *testing.T, b *backend) {
	t.Helper()
	numeric := b.table(t, "serial_number INTEGER, name VARCHAR(40)")
	b.insert(t, numeric, "serial_number, name", 0, "zero")
	b.insert(t, numeric, "serial_number, name", 12345678, "digits")
	byNumber := open(t, b.config("SELECT serial_number AS device_identifier, name AS device_name FROM "+numeric+" WHERE serial_number = $", ""))
	derived := open(t, b.config("", "SELECT serial_number AS device_identifier, name AS device_name FROM "+numeric))
	finds(t, derived, "12345678")
	finds(t, byNumber, "12345678")
	for _, other := range []string{"ABC", "0ABC", "00", "12345678X", "1.2345678e7"} {
		if _, err := lookup(t, derived, other); !errors.Is(err, posture.ErrNotFound) {
			t.Errorf("list_query: Lookup(%q) = %v, want ErrNotFound", other, err)
		}
		// PostgreSQL refuses to compare, which is a fault.
		if d, err := lookup(t, byNumber, other); err == nil || errors.Is(err, posture.ErrAmbiguous) {
			t.Errorf("Lookup(%q) = the record of %q, %v", other, d.Identifier, err)
		}
	}
	of := ""
	if b.driver == "mysql" {
		of = " COLLATE utf8mb4_unicode_ci"
	}
	text := b.table(t, "serial_number VARCHAR(40)"+of)
	for _, stored := range []string{"STRASSE1", "STRA\u00dfE2", "R\u00c9SUM\u00c91", "TRAIL01  ", "\u212aELVIN01"} {
		b.insert(t, text, "serial_number", stored)
	}
	p := open(t, b.config("", "SELECT serial_number AS device_identifier FROM "+text))
	finds(t, p, "strasse1")
	if d := finds(t, p, "TRAIL01"); d.Identifier != "TRAIL01" {
		t.Errorf("the identifier is %q, want it without blanks", d.Identifier)
	}
	for _, other := range []string{"STRASSE2", "RESUME1", "KELVIN01", "STRASSE1X"} {
		if _, err := lookup(t, p, other); !errors.Is(err, posture.ErrNotFound) {
			t.Errorf("Lookup(%q) = %v, want ErrNotFound", other, err)
		}
	}
}

package sqlquery_test

import (
	"slices"
	"strings"
	"testing"
)

// columns: names that are no facts are attributes, and what is probably not meant is a warning or a fault.
func columns(t *testing.T, b *backend) {
	t.Helper()
	id := "$ AS device_identifier"
	if b.driver == "postgres" {
		id = "CAST($ AS text) AS device_identifier"
	}
	mark := `"`
	if b.driver == "mysql" {
		mark = "`"
	}
	const unmanaged = "the query has no column device_managed: no device counts as managed, and only a policy with allow_unmanaged allows one"
	for _, row := range []struct {
		columns  string
		warnings []string // nil: fault has it
		fault    string
	}{
		{id + ", 1 AS device_managed", []string{}, ""},
		{id + ", 1 AS " + mark + "Device.Managed" + mark, []string{}, ""},
		{id, []string{unmanaged}, ""},
		{id + ", 1 AS device_managd", []string{unmanaged, `the query: the column "device_managd" is an attribute; did you mean device_managed?`}, ""},
		{id + ", 1 AS device_managed, '1' AS os_version", []string{`the query: the column "os_version" is an attribute; did you mean device_os_version?`}, ""},
		{id + ", 1 AS device_managed, '1' AS floor", []string{}, ""},
		{id + ", 1 AS device_managed, '1' AS device_name, '2' AS " + mark + "device.name" + mark, nil, "the query has two columns device_name"},
		{id + ", 1 AS device_managed, '1' AS floor, '2' AS " + mark + "Floor" + mark, nil, `the query has two columns "Floor"`},
		{id + ", 1 AS device_managed, '1' AS device_attributes", nil, "the query has the column device_attributes"},
		{strings.Replace(id, "device_identifier", "serial", 1), nil, "the query has no column device_identifier"},
	} {
		p := open(t, b.config("SELECT "+row.columns, ""))
		_, warnings, err := p.Check(t.Context())
		switch {
		case row.fault != "":
			if err == nil || !strings.Contains(err.Error(), row.fault) {
				t.Errorf("Check of %s = %v, want %q", row.columns, err, row.fault)
			}
			fails(t, p, "AAAA0001", row.fault)
		case err != nil || !slices.Equal(warnings, row.warnings):
			t.Errorf("Check of %s = %q, %v, want %q", row.columns, warnings, err, row.warnings)
		}
	}
	if b.driver == "postgres" {
		_, warnings, err := open(t, b.config("SELECT "+id+", TRUE AS device_managed, CAST('x' AS bytea) AS device_name, INTERVAL '1 day' AS device_last_seen", "")).Check(t.Context())
		want := []string{"the query: the column device_name has a type that cannot be read; cast it to another", "the query: the column device_last_seen has a type that cannot be read; cast it to another"}
		if err != nil || !slices.Equal(warnings, want) {
			t.Errorf("Check = %q, %v, want %q", warnings, err, want)
		}
	}
}

// check: it says what was found, and what is wrong with the list too.
func check(t *testing.T, b *backend) {
	t.Helper()
	table := b.table(t, "serial_number VARCHAR(40), managed VARCHAR(10)")
	c := b.config("SELECT serial_number AS device_udid, managed AS device_managed FROM "+table+" WHERE serial_number = $", "SELECT serial_number AS device_udid FROM "+table)
	found, warnings, err := open(t, c).Check(t.Context())
	product := map[string]string{"postgres": "PostgreSQL 1", "mysql": "MySQL 1", "sqlite": "SQLite 3."}[b.driver]
	if err != nil || !strings.HasPrefix(found, product) || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "list_query has no column device_managed") {
		t.Errorf("Check = %q, %q, %v, want %q and a warning about list_query", found, warnings, err, product)
	}
	c.ListQuery = "SELECT managed AS device_managed FROM " + c.ListQuery[strings.LastIndex(string(c.ListQuery), " ")+1:]
	if _, _, err := open(t, c).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "list_query: the query has no column device_identifier") {
		t.Errorf("Check of a list without identifier = %v", err)
	}
}

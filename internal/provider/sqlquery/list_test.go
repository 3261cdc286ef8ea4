package sqlquery_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/sqlquery"
)

// listed lists all devices.
func listed(t *testing.T, p *sqlquery.Provider, facts posture.FactSet) ([]posture.Listing, posture.Listed, error) {
	t.Helper()
	var all []posture.Listing
	l, err := p.List(t.Context(), posture.List{Facts: facts}, func(one posture.Listing) error {
		all = append(all, one)
		return nil
	})
	return all, l, err
}

// list: a list gives exactly what lookups find, and what a lookup would fail on is damaged.
func list(t *testing.T, b *backend) {
	t.Helper()
	table := b.table(t, "serial_number VARCHAR(40), managed VARCHAR(10), os_version VARCHAR(20), team VARCHAR(40), asset INTEGER")
	insert := func(values ...any) { b.insert(t, table, "serial_number, managed, os_version, team, asset", values...) }
	insert("AAAA0001", "1", "15.4.1", "one", 1)
	insert("AAAA0001", "1", "15.4.1", "two", 1)
	insert("AAAA0002", "0", "15.x", "two", 2)
	insert("AAAA0003", "perhaps", "15.4", "two", 3)
	insert("AAAA0004", "1", "15.4", nil, 4)
	insert("AAAA0004", "1", "15.5", nil, 5)
	insert("AAAA0005", "1", nil, nil, 6)
	columns := "SELECT serial_number AS device_identifier, managed AS device_managed, os_version AS device_os_version, team AS device_groups, asset FROM " + table
	p := open(t, b.config("", columns+" ORDER BY serial_number, asset, team"))
	if lists := p.Lists(); !slices.Equal(lists, []posture.DeviceType{""}) {
		t.Errorf("Lists() = %q, want one of all devices", lists)
	}
	all, l, err := listed(t, p, posture.AllFacts()|posture.Document)
	if err != nil || len(all) != 6 || l.Total != 6 || !l.Facts.Has(posture.AllFacts()|posture.Document) {
		t.Fatalf("List = %d devices, %+v, %v, want 6 with all facts", len(all), l, err)
	}
	for _, one := range all {
		d, err := lookup(t, p, one.Identifier)
		switch one.Identifier {
		case "AAAA0003":
			if err == nil || !one.Damaged {
				t.Errorf("%q is damaged: %v, and Lookup = %v", one.Identifier, one.Damaged, err)
			}
		case "AAAA0004":
			if !errors.Is(err, posture.ErrAmbiguous) {
				t.Errorf("Lookup(%q) = %v, want ErrAmbiguous", one.Identifier, err)
			}
		default:
			if err != nil || one.Damaged || !reflect.DeepEqual(d, one.Device) {
				t.Errorf("the list has %+v, Lookup %+v, %v", one, d, err)
			}
		}
	}
	some, l, err := listed(t, p, posture.MustFacts("device.groups"))
	if err != nil || l.Facts != posture.MustFacts("device.groups") {
		t.Errorf("List of groups gives %q, %v", l.Facts.Names(), err)
	}
	if _, known := some[0].Facts.OSVersion.Get(); known {
		t.Error("a fact that was not wanted is given")
	}
	insert(nil, "1", "15.4", nil, 7)
	all, _, err = listed(t, p, posture.AllFacts())
	if err != nil || !slices.ContainsFunc(all, func(one posture.Listing) bool { return one.Damaged && one.Identifier == "" }) {
		t.Errorf("a record without identifier is not passed on as damaged: %v", err)
	}
}

// listLacks: what only the query has a column for is not given by the list.
func listLacks(t *testing.T, b *backend) {
	t.Helper()
	table := b.table(t, "serial_number VARCHAR(40), managed VARCHAR(10), team VARCHAR(40), asset INTEGER")
	b.insert(t, table, "serial_number, managed, team, asset", "AAAA0001", "1", "one", 1)
	query := "SELECT serial_number AS device_identifier, managed AS device_managed, team AS device_groups, asset FROM " + table + " WHERE serial_number = $"
	for columns, lacks := range map[string][]string{
		"serial_number AS device_identifier, managed AS device_managed, team AS device_groups, asset":                   nil,
		"serial_number AS device_identifier, managed AS device_managed, asset, asset AS more":                           {"device.groups"},
		"serial_number AS device_identifier, managed AS device_managed, team AS device_groups":                          {"device.attributes"},
		"serial_number AS device_identifier, managed AS device_managed, asset AS other":                                 {"device.groups", "device.attributes"},
		"serial_number AS device_identifier, managed AS device_managed, team AS device_groups, asset, 'x' AS device_os": nil,
	} {
		p := open(t, b.config(query, "SELECT "+columns+" FROM "+table))
		_, l, err := listed(t, p, posture.AllFacts()|posture.Document)
		if want := posture.AllFacts() &^ posture.MustFacts(lacks...); err != nil || l.Facts != want|posture.Document {
			t.Errorf("a list of %s gives %q, %v, want all but %q", columns, l.Facts.Names(), err, lacks)
		}
	}
	p := open(t, b.config(query, ""))
	if lists := p.Lists(); lists != nil {
		t.Errorf("Lists() = %q without list_query, want none", lists)
	}
	if _, _, err := listed(t, p, 0); err == nil {
		t.Error("List without list_query succeeded")
	}
}

// listBreaksOff: half of a list is an error, and so is that of the caller.
func listBreaksOff(t *testing.T, b *backend) {
	t.Helper()
	const digits = "(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
	failing := map[string]string{
		"postgres": "SELECT CAST(i AS text) AS device_identifier, 1 / (5000 - i) AS n FROM generate_series(1, 10000) AS g(i)",
		"mysql":    "SELECT i AS device_identifier, (SELECT 1 UNION SELECT 2 FROM DUAL WHERE i = 9000) AS n FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS i FROM " + digits + " a, " + digits + " b, " + digits + " c, " + digits + " e) many",
		"sqlite":   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i AS device_identifier, CASE i WHEN 5000 THEN ABS(-9223372036854775807 - 1) ELSE 1 END AS n FROM n",
	}[b.driver]
	all, l, err := listed(t, open(t, b.config("", failing)), 0)
	if err == nil || l.Total != 0 {
		t.Errorf("List of an answer that breaks off = %d devices, %+v, %v, want an error", len(all), l, err)
	}
	full := strings.NewReplacer("1 / (5000 - i)", "1", "(SELECT 1 UNION SELECT 2 FROM DUAL WHERE i = 9000)", "1", "ABS(-9223372036854775807 - 1)", "1").Replace(failing)
	p := open(t, b.config("", full))
	if all, l, err = listed(t, p, 0); err != nil || l.Total != 10000 || len(all) != 10000 {
		t.Errorf("List = %d devices, %+v, %v, want 10000", len(all), l, err)
	}
	stop := errors.New("enough")
	seen := 0
	_, err = p.List(t.Context(), posture.List{}, func(posture.Listing) error {
		if seen++; seen == 10 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 10 {
		t.Errorf("List = %v after %d, want the caller's error after 10", err, seen)
	}
	// Lookups do not wait for a list.
	_, err = p.List(t.Context(), posture.List{}, func(one posture.Listing) error {
		if one.Identifier == "17" {
			finds(t, p, "18")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	many := fmt.Sprintf("SELECT device_identifier FROM (%s) d WHERE $ <> ''", full)
	fails(t, open(t, b.config(many, "")), "AAAA0001", "more than 1000 rows")
}

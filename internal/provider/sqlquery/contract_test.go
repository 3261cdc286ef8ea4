package sqlquery_test

import (
	"encoding/json"
	"testing"

	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/test/sqltest"
)

// TestDatabases runs on real servers, which all tests share.
func TestDatabases(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, backendOf func(testing.TB) *backend) {
		t.Helper()
		for name, test := range map[string]func(*testing.T, *backend){
			"values": values, "records": records, "collations": collations, "columns": columns, "list": list, "list and lookup": listLacks,
			"list breaks off": listBreaksOff, "reading only": readingOnly, "slow": slow, "huge": huge, "missing": missing, "check": check, "products": products, "set-up": setUp,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, backendOf(t))
			})
		}
		for name, own := range map[string]bool{"contract of a query": true, "contract of list_query": false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				providertest.Run(t, providertest.Harness{Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
					t.Helper()
					return inventory(t, backendOf(t), own, devices)
				}, Lacks: providertest.Newest})
			})
		}
	})
}

// inventory is a table of devices. Each record has a number of its own, so that no two are alike.
func inventory(t *testing.T, b *backend, own bool, devices []providertest.Device) providertest.Inventory {
	t.Helper()
	groups := map[string]string{"postgres": "TEXT[]", "mysql": "JSON", "sqlite": "TEXT"}[b.driver]
	table := b.table(t, "asset "+b.serial+", serial_number VARCHAR(300), kind VARCHAR(20), is_managed BOOLEAN, member_of "+groups)
	replace := func(devices ...providertest.Device) {
		b.exec(t, "DELETE FROM "+table)
		for _, d := range devices {
			names := append([]string{}, d.Groups...)
			var member any = names
			if b.driver != "postgres" {
				text, err := json.Marshal(names)
				if err != nil {
					t.Fatal(err)
				}
				member = string(text)
			}
			b.insert(t, table, "serial_number, kind, is_managed, member_of", d.Identifier, string(d.Type), !d.Unmanaged, member)
		}
	}
	replace(devices...)
	query := "SELECT serial_number AS device_identifier, kind AS device_type, is_managed AS Device_Managed, member_of AS device_groups, asset FROM " + table
	c := b.config("", query+" -- all of them;")
	if own {
		c = b.config(query+" WHERE UPPER(serial_number) = UPPER($);", "")
	}
	return providertest.Inventory{
		Provider: open(t, c), Replace: replace,
		Secrets: func() []string { return []string{sqltest.ReaderPassword, b.dsn, "SELECT", table} },
	}
}

package store_test

import (
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/sqltest"
)

// TestUnfit: a database that answers, and cannot keep tokens, is not ready. Each line breaks it and repairs it.
func TestUnfit(t *testing.T) {
	t.Parallel()
	const incomplete = "some of its tables or columns are missing"
	both := []struct{ damage, repair, want string }{
		{"ALTER TABLE tokens RENAME TO away", "ALTER TABLE away RENAME TO tokens", incomplete},
		{"ALTER TABLE tokens RENAME COLUMN bound_to TO away", "ALTER TABLE tokens RENAME COLUMN away TO bound_to", incomplete},
		{"ALTER TABLE journal RENAME TO away", "ALTER TABLE away RENAME TO journal", incomplete},
		{"ALTER TABLE journal_counts RENAME COLUMN n TO away", "ALTER TABLE journal_counts RENAME COLUMN away TO n", incomplete},
		{"ALTER TABLE journal_affected RENAME TO away", "ALTER TABLE away RENAME TO journal_affected", incomplete},
		{"ALTER TABLE console_sessions RENAME TO away", "ALTER TABLE away RENAME TO console_sessions", incomplete},
		{"ALTER TABLE console_keys RENAME TO away", "ALTER TABLE away RENAME TO console_keys", incomplete},
	}
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		b := create(t)
		d := b.open(t)
		for _, c := range both {
			b.exec(t, c.damage)
			if err := d.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Ready after %s = %v", c.damage, err)
			}
			if command, err := store.OpenCommand(t.Context(), b.url); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("OpenCommand after %s = %v, %v", c.damage, command, err)
			}
			b.exec(t, c.repair)
			if err := d.Ready(t.Context()); err != nil {
				t.Errorf("Ready after %s = %v", c.repair, err)
			}
		}
	})
}

// TestUnfitPostgreSQL: so is one that takes nothing, also over connections that were opened before. Whether the disk is full shows
// only when something is written; from then on it is tried, until there is room.
func TestUnfitPostgreSQL(t *testing.T) {
	t.Parallel()
	b := onPostgreSQL(sqltest.PostgreSQL(t))(t)
	d := b.open(t)
	b.exec(t, "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$")
	trigger := func(table string) string {
		return "CREATE TRIGGER full_disk BEFORE INSERT ON " + table + " FOR EACH ROW EXECUTE FUNCTION full_disk()"
	}
	b.dsn += "&default_transaction_read_only=off" // for the repair
	for _, c := range []struct{ damage, repair, want string }{
		{"REVOKE INSERT ON tokens FROM " + owner, "GRANT INSERT ON tokens TO " + owner, "the user may not do this"},
		{"REVOKE UPDATE ON tokens FROM " + owner, "GRANT UPDATE ON tokens TO " + owner, "the user may not do this"},
		{"REVOKE UPDATE ON journal_counts FROM " + owner, "GRANT UPDATE ON journal_counts TO " + owner, "the user may not do this"},
		{"ALTER SYSTEM SET default_transaction_read_only = on", "ALTER SYSTEM RESET default_transaction_read_only", "only for reading"},
		{
			trigger("tokens") + "; " + trigger("step_posture_schema"), "DROP TRIGGER full_disk ON tokens; DROP TRIGGER full_disk ON step_posture_schema",
			"its disk or its memory is full",
		},
	} {
		for _, statement := range strings.Split(c.damage, "; ") {
			b.exec(t, statement)
		}
		b.exec(t, "SELECT pg_reload_conf()")
		var err error
		for err == nil && t.Context().Err() == nil { // the server reads its settings a little later
			if _, err := d.Insert(t.Context(), wanted("C02XK1ABJHD2", ""), time.Minute); err == nil && !strings.Contains(c.damage, "UPDATE") {
				continue
			}
			if err = d.Ready(t.Context()); err == nil {
				t.Errorf("Ready after %s, where nothing can be written", c.damage)
				break
			}
		}
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("Ready after %s = %v", c.damage, err)
		}
		for _, statement := range strings.Split(c.repair, "; ") {
			b.exec(t, statement)
		}
		b.exec(t, "SELECT pg_reload_conf()")
		for t.Context().Err() == nil && d.Ready(t.Context()) != nil {
			time.Sleep(time.Millisecond)
		}
		if n := b.number(t, "SELECT COUNT(*) FROM step_posture_schema"); n != 2 {
			t.Errorf("step_posture_schema has %d rows", n)
		}
	}
}

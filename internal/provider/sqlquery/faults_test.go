package sqlquery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/sqlquery"
	"step-posture-connector/internal/test/sqltest"
)

// endless is a query that takes longer than a lookup may.
func endless(b *backend) string {
	switch b.driver {
	case "postgres":
		return "SELECT CAST($ AS text) AS device_identifier, pg_sleep(60)"
	case "mysql":
		return "SELECT $ AS device_identifier, SLEEP(60) AS slept"
	}
	return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e12) SELECT $ AS device_identifier, COUNT(*) AS n FROM n"
}

// slow: the server itself ends a query that takes too long, and a lookup ends by its deadline.
func slow(t *testing.T, b *backend) {
	t.Helper()
	c := b.config(endless(b), "")
	c.Timeout = 1
	fails(t, open(t, c), "C02XK1ABJHD2", "did not answer in time")
	c.Timeout = 60
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	if _, err := open(t, c).Lookup(ctx, asking(t, "C02XK1ABJHD2")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lookup = %v, want context.DeadlineExceeded", err)
	}
}

// readingOnly: a query that writes fails, also where the user may write.
func readingOnly(t *testing.T, b *backend) {
	t.Helper()
	table := b.table(t, "serial_number VARCHAR(40)")
	b.insert(t, table, "serial_number", "AAAA0001")
	wrong := func(query, text string) {
		t.Helper()
		_, err := sqlquery.New(b.config(query, ""))
		if problems := config.Problems(nil); !errors.As(err, &problems) || !strings.Contains(err.Error(), text) {
			t.Errorf("New(%q) = %v, want %q", query, err, text)
		}
	}
	wrong("DELETE FROM "+table+" WHERE serial_number = $", "does not begin with SELECT")
	wrong("SELECT serial_number AS device_identifier FROM "+table+" WHERE serial_number = $; DELETE FROM "+table, "second statement")
	if b.driver == "postgres" {
		admin := *b
		admin.dsn = b.server.PostgresURL("admin", sqltest.AdminPassword, "postgres")
		p := open(t, admin.config("WITH gone AS (DELETE FROM "+table+" WHERE serial_number = $ RETURNING serial_number) SELECT serial_number AS device_identifier FROM gone", ""))
		fails(t, p, "AAAA0001", "the query writes, and only reading is allowed (25006)")
		admin.exec(t, "CREATE FUNCTION remove_"+table+"(wanted text) RETURNS text LANGUAGE sql AS 'DELETE FROM "+table+" WHERE serial_number = wanted RETURNING serial_number'")
		fails(t, open(t, admin.config("SELECT remove_"+table+"($) AS device_identifier", "")), "AAAA0001", "25006")
	}
	if b.driver == "mysql" {
		admin := *b
		admin.dsn = b.server.MySQL("admin", sqltest.AdminPassword, sqltest.Database) + "?tls=skip-verify"
		b.exec(t, "CREATE FUNCTION remove_"+table+"(wanted TEXT) RETURNS TEXT DETERMINISTIC MODIFIES SQL DATA BEGIN DELETE FROM "+table+" WHERE serial_number = wanted; RETURN wanted; END")
		fails(t, open(t, admin.config("SELECT remove_"+table+"($) AS device_identifier", "")), "AAAA0001", "the query writes, and only reading is allowed")
	}
	finds(t, open(t, b.config("SELECT serial_number AS device_identifier FROM "+table+" WHERE serial_number = $;\n-- the end;\n", "")), "AAAA0001")
}

// missing: a table that is missing, that was dropped, or that may not be read is a fault, and never "not found".
func missing(t *testing.T, b *backend) {
	t.Helper()
	query := func(table string) string {
		return "SELECT serial_number AS device_identifier FROM " + table + " WHERE serial_number = $"
	}
	text := "a table or view of the query does not exist"
	if b.driver == "mysql" {
		text = "may not read" // it does not say which tables there are
	}
	fails(t, open(t, b.config(query("no_such_table"), "")), "AAAA0001", text)
	table := b.table(t, "serial_number VARCHAR(40)")
	b.insert(t, table, "serial_number", "AAAA0001")
	fails(t, open(t, b.config("SELECT no_such_column AS device_identifier FROM "+table+" WHERE serial_number = $", "")), "AAAA0001", "does not understand the query")
	for _, c := range []sqlquery.Config{b.config(query(table), ""), b.config("", "SELECT serial_number AS device_identifier FROM "+table)} {
		p := open(t, c)
		finds(t, p, "AAAA0001")
		b.exec(t, "ALTER TABLE "+table+" RENAME TO gone_"+table)
		fails(t, p, "AAAA0001", "a table or view of the query does not exist")
		b.exec(t, "ALTER TABLE gone_"+table+" RENAME TO "+table)
		b.allow(t, table)
		finds(t, p, "AAAA0001")
	}
	if b.server == nil {
		return
	}
	secret := fmt.Sprintf("secret%d", b.count.Add(1))
	b.exec(t, "CREATE TABLE "+secret+" (serial_number VARCHAR(40))")
	p := open(t, b.config(query(secret), ""))
	fails(t, p, "AAAA0001", "the user may not read a table or view of the query")
	if _, _, err := p.Check(t.Context()); err == nil || errors.Is(err, posture.ErrCredentials) || !strings.Contains(err.Error(), "may not read") {
		t.Errorf("Check = %v, want that the user may not read it", err)
	}
}

// TestServerEnds: a server that is down, that ends in the middle of an answer, or that refuses the password, is a fault. The
// first lookup after its return is answered.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *backend{
		"postgres": func(t *testing.T) *backend { t.Helper(); return onPostgreSQL(sqltest.PostgreSQL(t)) },
		"mariadb":  func(t *testing.T) *backend { t.Helper(); return onMariaDB(sqltest.MariaDB(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			serverEnds(t, start(t))
		})
	}
}

func serverEnds(t *testing.T, b *backend) {
	t.Helper()
	table := b.table(t, "serial_number VARCHAR(40)")
	b.insert(t, table, "serial_number", "AAAA0001")
	c := b.config("SELECT serial_number AS device_identifier FROM "+table+" WHERE serial_number = $", "")
	p := open(t, c)
	finds(t, p, "AAAA0001")

	refused := c
	refused.DSN = config.NewSecret([]byte(strings.Replace(b.dsn, sqltest.ReaderPassword, "wrong-password", 1)))
	_, _, err := open(t, refused).Check(t.Context())
	if !errors.Is(err, posture.ErrCredentials) || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("Check with a wrong password = %v, want ErrCredentials", err)
	}
	fails(t, open(t, refused), "AAAA0001", "refused the user or the password")

	untrusted := c
	untrusted.DSN = config.NewSecret([]byte(strings.NewReplacer("&sslrootcert="+b.server.CA, "", "sslrootcert="+strings.ReplaceAll(b.server.CA, "/", "%2F"), "").Replace(b.dsn)))
	fails(t, open(t, untrusted), "AAAA0001", "its certificate is not trusted")

	// In the middle of an answer.
	ended := make(chan error, 1)
	sleeper := c
	sleeper.Query = config.Lines(strings.ReplaceAll(endless(b), "$", b.parameter))
	sleeper.Timeout = 30
	waiting := open(t, sleeper)
	finds(t, p, "AAAA0001")
	q := asking(t, "AAAA0001")
	go func() {
		_, err := waiting.Lookup(context.WithoutCancel(t.Context()), q)
		ended <- err
	}()
	awaitSleeper(t, b)
	b.server.Kill()
	if err := <-ended; err == nil || errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup while the server ended = %v, want a fault", err)
	}
	fails(t, p, "AAAA0001", "the database at "+b.server.Address)
	if _, _, err := p.Check(t.Context()); err == nil || errors.Is(err, posture.ErrCredentials) {
		t.Errorf("Check of a server that is down = %v", err)
	}
	b.server.Start(t)
	finds(t, p, "AAAA0001")

	// Connections that the server has ended while nobody used them.
	b.server.Kill()
	b.server.Start(t)
	finds(t, p, "AAAA0001")
}

// awaitSleeper waits until the query runs that does not end.
func awaitSleeper(t *testing.T, b *backend) {
	t.Helper()
	query := "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'"
	if b.driver == "mysql" {
		query = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(60) AS slept'"
	}
	for range 600 {
		n := 0
		if err := b.server.Admin.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the query did not begin")
}

// TestReplacedFile: a SQLite file that was replaced is read, a file that is missing or no database is a fault.
func TestReplacedFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	database := func(name, serial string) string {
		path := filepath.Join(folder, name)
		exec := execOn(path)
		exec(t, "CREATE TABLE devices (serial_number TEXT)")
		exec(t, "INSERT INTO devices VALUES (?)", serial)
		return path
	}
	path := database("inventory.db", "AAAA0001")
	b := &backend{driver: "sqlite", dsn: "sqlite:" + path, parameter: "?"}
	p := open(t, b.config("SELECT serial_number AS device_identifier FROM devices WHERE serial_number = $", ""))
	finds(t, p, "AAAA0001")
	if err := os.Rename(database("next.db", "AAAA0002"), path); err != nil {
		t.Fatal(err)
	}
	finds(t, p, "AAAA0002")
	if _, err := lookup(t, p, "AAAA0001"); !errors.Is(err, posture.ErrNotFound) {
		t.Errorf("Lookup of a device of the file that was replaced = %v, want ErrNotFound", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	fails(t, p, "AAAA0002", "cannot be reached or opened")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(t, p, "AAAA0002", "no database, or damaged")
	if err := os.Rename(database("last.db", "AAAA0003"), path); err != nil {
		t.Fatal(err)
	}
	finds(t, p, "AAAA0003")
	p.Close()
	if _, err := lookup(t, p, "AAAA0003"); err == nil {
		t.Error("Lookup after Close found a device")
	}
}

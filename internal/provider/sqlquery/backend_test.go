package sqlquery_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/sqlquery"
	"step-posture-connector/internal/test/sqltest"
)

// backend is one database of a test: as the administrator of it writes, and as the connector reads.
type backend struct {
	driver, dsn string
	parameter   string // how the parameter is written
	serial      string // the type of a key that is counted
	exec        func(t testing.TB, statement string, arguments ...any)
	grant       string // with %s for the table
	server      *sqltest.Server
	count       *atomic.Int64
}

// each runs a test on every kind of database.
func each(t *testing.T, test func(*testing.T, func(testing.TB) *backend)) {
	t.Helper()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		b := onPostgreSQL(sqltest.PostgreSQL(t))
		test(t, func(testing.TB) *backend { return b })
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		b := onMariaDB(sqltest.MariaDB(t))
		test(t, func(testing.TB) *backend { return b })
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, onSQLite)
	})
}

func onPostgreSQL(s *sqltest.Server) *backend {
	return &backend{
		"postgres", s.PostgresURL(sqltest.Reader, sqltest.ReaderPassword, "postgres"), "$1", "SERIAL PRIMARY KEY",
		s.Exec, "GRANT SELECT ON %s TO " + sqltest.Reader, s, new(atomic.Int64),
	}
}

func onMariaDB(s *sqltest.Server) *backend {
	return &backend{
		"mysql", s.MySQL(sqltest.Reader, sqltest.ReaderPassword, sqltest.Database) + "?tls=true&sslrootcert=" + s.CA, "?", "INT AUTO_INCREMENT PRIMARY KEY",
		s.Exec, "GRANT SELECT ON " + sqltest.Database + ".%s TO '" + sqltest.Reader + "'@'127.0.0.1'", s, new(atomic.Int64),
	}
}

func onSQLite(t testing.TB) *backend {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inventory.db")
	execOn(path)(t, "CREATE TABLE first (x TEXT)") // there is no file without a table
	return &backend{"sqlite", "sqlite:" + path, "$1", "INTEGER PRIMARY KEY", execOn(path), "", nil, new(atomic.Int64)}
}

// execOn writes to a SQLite file.
func execOn(path string) func(testing.TB, string, ...any) {
	return func(t testing.TB, statement string, arguments ...any) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), statement, arguments...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// table makes a table that the reader may read, and returns its name.
func (b *backend) table(t testing.TB, columns string) string {
	t.Helper()
	name := fmt.Sprintf("devices%d", b.count.Add(1))
	b.exec(t, "CREATE TABLE "+name+" ("+columns+")")
	b.allow(t, name)
	return name
}

func (b *backend) allow(t testing.TB, name string) {
	t.Helper()
	if b.grant != "" {
		b.exec(t, fmt.Sprintf(b.grant, name))
	}
}

// insert writes a row. Values are written by the test itself.
func (b *backend) insert(t testing.TB, table, columns string, values ...any) {
	t.Helper()
	places := make([]string, len(values))
	for i := range places {
		places[i] = "?"
		if b.driver == "postgres" {
			places[i] = fmt.Sprintf("$%d", i+1)
		}
	}
	b.exec(t, "INSERT INTO "+table+" ("+columns+") VALUES ("+strings.Join(places, ", ")+")", values...)
}

// config is that of a query; the parameter is written as $.
func (b *backend) config(query, list string) sqlquery.Config {
	return sqlquery.Config{
		Driver: b.driver, DSN: config.NewSecret([]byte(b.dsn)), Timeout: 10,
		Query: config.Lines(strings.ReplaceAll(query, "$", b.parameter)), ListQuery: config.Lines(list),
	}
}

func open(t testing.TB, c sqlquery.Config) *sqlquery.Provider {
	t.Helper()
	p, err := sqlquery.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// asking is a query for all facts.
func asking(t testing.TB, identifier string) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(identifier)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: posture.AnyDevice, Facts: posture.AllFacts()}
}

func lookup(t testing.TB, p posture.Provider, identifier string) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return p.Lookup(ctx, asking(t, identifier))
}

// finds insists on a device.
func finds(t testing.TB, p posture.Provider, identifier string) posture.Device {
	t.Helper()
	d, err := lookup(t, p, identifier)
	if err != nil {
		t.Fatalf("Lookup(%q) = %v, want the device", identifier, err)
	}
	return d
}

// fails insists on a fault whose text has a part, and which is no answer.
func fails(t testing.TB, p posture.Provider, identifier, part string) {
	t.Helper()
	d, err := lookup(t, p, identifier)
	if err == nil || errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) || errors.Is(err, posture.ErrIdentifier) || d.Identifier != "" {
		t.Errorf("Lookup(%q) = %q, %v, want a fault", identifier, d.Identifier, err)
		return
	}
	if !strings.Contains(err.Error(), part) {
		t.Errorf("Lookup(%q) = %v, want %q in it", identifier, err, part)
	}
	for _, secret := range []string{sqltest.ReaderPassword, identifier, "relation", "syntax to use", "SELECT"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q holds %q", err, secret)
		}
	}
}

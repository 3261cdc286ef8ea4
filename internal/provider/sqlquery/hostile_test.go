package sqlquery_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider/sqlquery"
)

// sqliteWith is a SQLite file that these statements have made.
func sqliteWith(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return path
}

// TestHostileSQLite: a query reads nothing but the database, writes nothing, and ends.
func TestHostileSQLite(t *testing.T) {
	t.Parallel()
	path := sqliteWith(t, "CREATE TABLE d (serial TEXT)", "INSERT INTO d VALUES ('C02XK1JKLVCG')")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("C02XK1JKLVCG"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SELECT readfile('" + secret + "') AS device_identifier WHERE $1 <> ''",
		"SELECT $1 AS device_identifier, writefile('" + secret + ".out', 'x') AS n",
		"SELECT $1 AS device_identifier, load_extension('" + secret + "') AS n",
		"SELECT $1 AS device_identifier, edit('x', 'touch " + secret + ".out') AS n",
		"WITH x AS (SELECT $1) INSERT INTO d SELECT * FROM x RETURNING serial AS device_identifier",
		"WITH x AS (SELECT $1) DELETE FROM d RETURNING serial AS device_identifier",
		"SELECT * FROM pragma_query_only(0), (SELECT $1 AS device_identifier)",
		"SELECT $1 AS device_identifier, randomblob(1100000000) AS n",
		"SELECT $1 AS device_identifier, zeroblob(999999999) AS device_name",
		"SELECT $1 AS device_identifier, printf('%900000000d', 1) AS device_name",
		"SELECT $1 AS device_identifier, hex(zeroblob(30000000)) AS device_name",
	} {
		p, err := sqlquery.New(sqlquery.Config{Driver: "sqlite", DSN: config.NewSecret([]byte(path)), Query: config.Lines(query), Timeout: 5})
		if err != nil {
			continue // refused when it is read
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		d, err := p.Lookup(ctx, asking(t, "C02XK1JKLVCG"))
		runtime.ReadMemStats(&is)
		cancel()
		p.Close()
		if err == nil {
			t.Errorf("%s: Lookup = %.200v, want a fault", query, d)
		}
		const most = 64 << 20
		if used := is.TotalAlloc - was.TotalAlloc; used > most {
			t.Errorf("%s: %d MiB were allocated", query, used>>20)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Error("the database has changed")
	}
	if _, err := os.Stat(secret + ".out"); err == nil {
		t.Error("a file was written")
	}
}

// huge: a value that is longer than an answer may be is a fault, and is not kept until it has arrived.
func huge(t *testing.T, b *backend) {
	t.Helper()
	query, want := "SELECT $ AS device_identifier, REPEAT('x', 5000000) AS device_name, 1 AS device_managed", "more than"
	switch b.driver {
	case "postgres":
		query = "SELECT CAST($ AS text) AS device_identifier, REPEAT('x', 50000000) AS device_name, true AS device_managed"
		want = "a value has more than"
	case "sqlite":
		query = "SELECT $ AS device_identifier, hex(zeroblob(50000000)) AS device_name, 1 AS device_managed"
		want = "a value has more than"
	}
	fails(t, open(t, b.config(query, "")), "C02XK1ABJHD2", want)
}

// TestHostileRows: text that others read in another way is no identifier and no fact.
func TestHostileRows(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ values, want string }{
		"NUL behind the identifier":  {"CAST(x'4330325800' AS TEXT), 'x'", "not text"},
		"NUL in a fact":              {"'C02X', CAST(x'610062' AS TEXT)", "not text"},
		"no UTF-8 in the identifier": {"CAST(x'43303258FF' AS TEXT), 'x'", "not text"},
		"KELVIN SIGN":                {"'C02\u212a', 'x'", "no such device"},
		"tab behind the identifier":  {"'C02X' || char(9), 'x'", "no such device"},
		"a number":                   {"1e3, 'x'", "no such device"},
		"one of many bytes":          {"'C02X', hex(zeroblob(2500000))", "more than"},
		"one of very many bytes":     {"'C02X', hex(zeroblob(10000000))", "a value has more than"},
		"no identifier":              {"NULL, 'x'", "no identifier"},
		"blanks as identifier":       {"'  ', 'x'", "no identifier"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := sqliteWith(t, "CREATE TABLE d (serial, name)", "INSERT INTO d SELECT "+row.values)
			p, err := sqlquery.New(sqlquery.Config{
				Driver: "sqlite", DSN: config.NewSecret([]byte(path)), Timeout: 5,
				Query: "SELECT serial AS device_identifier, name AS device_name, 1 AS device_managed FROM d WHERE $1 <> ''",
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			for _, asked := range []string{"C02X", "C02K", "1000"} {
				d, err := p.Lookup(t.Context(), asking(t, asked))
				if asked == "1000" && name == "a number" {
					if err != nil {
						t.Errorf("the number is not found: %v", err)
					}
					continue
				}
				if err == nil || asked == "C02X" && !strings.Contains(err.Error(), row.want) {
					t.Errorf("Lookup(%s) = %+v, %v, want %q", asked, d, err, row.want)
				}
			}
		})
	}
}

package sqlquery_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider/sqlquery"
)

// TestStatement: one statement that reads, with one parameter, whatever quotation marks and comments hide.
func TestStatement(t *testing.T) {
	t.Parallel()
	const fine = ""
	for _, row := range []struct{ driver, query, fault string }{
		{"postgres", "select * from d where a = $1", fine},
		{"postgres", "SELECT * FROM d WHERE a = $1 OR b = $1;", fine},
		{"postgres", "WITH x AS (SELECT 1) SELECT * FROM d WHERE a = $1 ; -- end ; of it", fine},
		{"postgres", "/* a /* nested ; */ ; */ SELECT ';', E'it\\'s;', \"a;b\", $$;$$, $x$ $$ ; $x$ FROM d WHERE a = $1", fine},
		{"postgres", "SELECT a$1 FROM d WHERE a = $1 AND j ? 'x'", fine},
		{"postgres", "SELECT 1; SELECT $1", "second statement"},
		{"postgres", "SELECT '\\'; DELETE FROM d WHERE a = $1 --'", "second statement"},
		{"postgres", "SELECT $1 /* /* */ ; DELETE FROM d", "does not end"},
		{"postgres", "SELECT $1, $2", "another parameter"},
		{"postgres", "SELECT a$1", "no parameter"},
		{"postgres", "SELECT '$1'", "no parameter"},
		{"postgres", "SELECT $$ $1", "does not end"},
		{"postgres", "SELECT '$1", "does not end"},
		{"postgres", "SELECT $1 INTO gone", "INTO, which writes"},
		{"postgres", "UPDATE d SET a = $1", "does not begin with SELECT"},
		{"postgres", "-- SELECT $1", "does not begin with SELECT"},
		{"postgres", "SELECT $1\x00", "not text"},
		{"mysql", "SELECT * FROM d WHERE a = ? OR b = ? # ; end", fine},
		{"mysql", "SELECT 'it\\'s;', \"a\\\";\", `b;`, 1--1 FROM d WHERE a = ?", fine},
		{"mysql", "SELECT 1 --; DELETE\n WHERE 1 = ?", "second statement"},
		{"mysql", "SELECT 1 -- ; DELETE\n WHERE 1 = ?", fine},
		{"mysql", "SELECT /*! ? */ 1", "executed"},
		{"mysql", "SELECT /* /* */ ?; DELETE FROM d", "second statement"},
		{"mysql", "SELECT ?1", "another parameter"},
		{"mysql", "SELECT ? INTO OUTFILE '/tmp/x'", "INTO, which writes"},
		{"sqlite", "SELECT [a;b], `c;`, 'it''s;' FROM d WHERE a = $1 OR b = ? OR c = ?1", fine},
		{"sqlite", "SELECT '\\'; DELETE FROM d --' WHERE a = ?", "second statement"},
		{"sqlite", "SELECT :name", "another parameter"},
		{"sqlite", "SELECT $name", "another parameter"},
		{"sqlite", "SELECT ?2", "another parameter"},
		{"sqlite", "ATTACH ? AS x", "does not begin with SELECT"},
		{"sqlite", strings.Repeat(" ", 64<<10) + "SELECT ?", "longer than"},
	} {
		t.Run(row.driver+" "+row.query[max(0, len(row.query)-40):], func(t *testing.T) {
			t.Parallel()
			c := sqlquery.Config{Driver: row.driver, DSN: config.NewSecret([]byte(sound()[row.driver])), Query: config.Lines(row.query), Timeout: 1}
			err := errors.Join(asErrors(c.Problems())...)
			if row.fault == fine && err != nil || row.fault != fine && (err == nil || !strings.Contains(err.Error(), row.fault)) {
				t.Errorf("Problems of %q = %v, want %q", row.query, err, row.fault)
			}
			if row.fault == "no parameter" {
				c.Query, c.ListQuery = "", c.Query
				if problems := c.Problems(); len(problems) > 0 {
					t.Errorf("Problems of the list %q = %v", row.query, problems)
				}
			}
		})
	}
}

func sound() map[string]string {
	return map[string]string{"postgres": "postgres://u:p@127.0.0.1/d", "mysql": "u:p@tcp(127.0.0.1:3306)/d", "sqlite": "sqlite:/srv/d.db"}
}

func asErrors(problems config.Problems) []error {
	all := make([]error, len(problems))
	for i, p := range problems {
		all[i] = p
	}
	return all
}

// TestAddress: what a DSN may not say, and that no error shows it.
func TestAddress(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-Xy"
	for _, row := range []struct{ driver, dsn, fault, account string }{
		{"postgres", "postgres://u:" + secret + "@db.example.com/d", "", `postgres ["db.example.com:5432"] "d" "u"`},
		{"postgres", "postgresql://u:" + secret + "@db.example.com:6432/d?sslmode=disable", "", `postgres ["db.example.com:6432"] "d" "u"`},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?sslmode=prefer", "falls back", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?sslmode=maybe", "not known", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?sslrootcert=/no/such/" + secret, "cannot be read", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com", "no database", ""},
		{"postgres", "postgres://db.example.com/d", "no user", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?sslmode=verify-full&sslmode=disable", "twice", ""},
		{"postgres", "postgres://u:%zz" + secret + "@db.example.com/d", "not a URL", ""},
		{"postgres", "host=db.example.com password=" + secret, "does not begin", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?passfile=/home/" + secret, "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?service=" + secret, "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?servicefile=/srv/" + secret, "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?options=-c%20standard_conforming_strings%3Doff", "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?standard_conforming_strings=off", "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?default_query_exec_mode=simple_protocol", "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?SSLMODE=disable", "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?ssl=true", "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?sslmode=verify-full;sslmode=disable", "not a URL", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?host=/run/postgresql", "host twice", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?user=other", "user twice", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?dbname=other", "a parameter that is not accepted", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d?sslmode=disable&sslrootcert=system", "nothing is verified", ""},
		{"postgres", "postgres://u:" + secret + "@db.example.com/d#x", "not a URL", ""},
		{"postgres", "postgres:///d?host=/run/postgresql&user=u", "", `postgres ["/run/postgresql"] "d" "u"`},
		{"mysql", "u:" + secret + "@tcp(db.example.com:3306)/d?tls=skip-verify&sslrootcert=/srv/ca.pem", "nothing is verified", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com:3306)/d?sslrootcert=/srv/ca.pem&tls=false", "nothing is verified", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com:3306)/d?sslrootcert=/dev/zero", "no file with certificates", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com:3306)/d", "", `mysql "db.example.com:3306" "d" "u"`},
		{"mysql", "u:" + secret + "@unix(/run/mysqld/mysqld.sock)/d", "", `mysql "/run/mysqld/mysqld.sock" "d" "u"`},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/d?multiStatements=true", "multiStatements", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/d?interpolateParams=true", "interpolateParams", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/d?tls=preferred", "gives up the protection", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/d?allowAllFiles=true", "gives up the protection", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/d?allowCleartextPasswords=true", "gives up the protection", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/d?sql_mode=ANSI_QUOTES", "variables of the server", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/d?sslrootcert=/no/such/file", "no file with certificates", ""},
		{"mysql", "u:" + secret + "@tcp(db.example.com)/", "no database", ""},
		{"mysql", secret, "cannot be read", ""},
		{"sqlite", "sqlite:/srv/" + secret + ".db", "", `sqlite "/srv/` + secret + `.db"`},
		{"sqlite", "sqlite:inventory.db", "from the root", ""},
		{"sqlite", "inventory.db", "from the root", ""},
		{"sqlite", "/srv/inventory.db", "", `sqlite "/srv/inventory.db"`},
		{"sqlite", "file:/srv/inventory.db", "", `sqlite "/srv/inventory.db"`},
		{"sqlite", "file:///srv/inventory.db?mode=ro", "", `sqlite "/srv/inventory.db"`},
		{"sqlite", "file://host/srv/inventory.db", "from the root", ""},
		{"sqlite", "file:/srv/inventory.db?mode=ro&vfs=x", "has ?", ""},
		{"sqlite", "sqlite:/srv/inventory.db?mode=rwc", "has ?", ""},
	} {
		c := sqlquery.Config{Driver: row.driver, DSN: config.NewSecret([]byte(row.dsn)), Query: "SELECT ?", Timeout: 1}
		if row.driver == "postgres" {
			c.Query = "SELECT $1"
		}
		err := errors.Join(asErrors(c.Problems())...)
		switch {
		case row.fault == "" && err != nil, row.fault != "" && (err == nil || !strings.Contains(err.Error(), row.fault) || strings.Contains(err.Error(), secret)):
			t.Errorf("Problems of %q = %v, want %q and no secret", row.dsn, err, row.fault)
		case c.Account() != row.account+"\n"+hashOfNothing() && row.fault == "":
			t.Errorf("the account of %q is %q, want %q", row.dsn, c.Account(), row.account)
		}
		if text := fmt.Sprintf("%v %+v", c, c); strings.Contains(text, secret) {
			t.Errorf("a Config shows %q", text)
		}
	}
}

func hashOfNothing() string {
	return "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}

// TestTLSWarnings: a connection that others can listen to is a warning, except on this machine.
func TestTLSWarnings(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:p@db.example.com/d":                 "",
		"postgres://u:p@db.example.com/d?sslmode=disable": "not encrypted",
		"postgres://u:p@127.0.0.1/d?sslmode=disable":      "",
		"postgres://u:p@db.example.com/d?sslmode=require": "not verified",
		"u:p@tcp(db.example.com:3306)/d":                  "",
		"u:p@tcp(db.example.com:3306)/d?tls=false":        "not encrypted",
		"u:p@tcp([::1]:3306)/d?tls=false":                 "",
		"u:p@tcp(db.example.com:3306)/d?tls=skip-verify":  "not verified",
		"u:p@unix(/run/mysqld/mysqld.sock)/d":             "",
	} {
		c := sqlquery.Config{Driver: "postgres", DSN: config.NewSecret([]byte(dsn)), Query: "SELECT $1", Timeout: 1}
		if !strings.HasPrefix(dsn, "postgres:") {
			c.Driver, c.Query = "mysql", "SELECT ?"
		}
		_, warnings, err := sqlquery.Open(c)
		if err != nil || want == "" && len(warnings) > 0 || want != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], want)) {
			t.Errorf("Open(%q) = %q, %v, want %q", dsn, warnings, err, want)
		}
	}
}

// TestQueryFile: a query may be in a file, whose contents are part of the account.
func TestQueryFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "device.sql")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := sqlquery.Config{Driver: "sqlite", DSN: config.NewSecret([]byte("sqlite:/srv/d.db")), QueryFile: config.Path(path), Timeout: 1}
	if problems := c.Problems(); len(problems) != 1 || !strings.Contains(problems[0].Text, "cannot be read: no such file") || strings.Contains(problems[0].Text, path) {
		t.Errorf("Problems without the file = %v", problems)
	}
	write("\ufeffSELECT serial AS device_identifier FROM d WHERE serial = ?;\r\n")
	if problems := c.Problems(); len(problems) > 0 {
		t.Errorf("Problems = %v", problems)
	}
	before := c.Account()
	write("SELECT serial AS device_identifier FROM e WHERE serial = ?")
	if c.Account() == before {
		t.Error("another query has the same account")
	}
	c.Query = "SELECT ?"
	if problems := c.Problems(); len(problems) != 1 || problems[0].Accepted != "one of both" {
		t.Errorf("Problems of two queries = %v", problems)
	}
	c.Query, c.QueryFile = "", ""
	if problems := c.Problems(); len(problems) != 1 || problems[0].Text != "there is no query for it" {
		t.Errorf("Problems without a query = %v", problems)
	}
}

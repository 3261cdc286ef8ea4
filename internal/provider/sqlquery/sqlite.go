package sqlquery

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	sqlitedriver "modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"
)

type sqliteDialect struct{}

func (sqliteDialect) syntax() syntax {
	return syntax{backtick: true, bracket: true, question: true, numbered: true}
}
func (sqliteDialect) placeholder() string          { return "$1 or ?" }
func (sqliteDialect) quoteName(name string) string { return quoted(name, `"`) }
func (sqliteDialect) asText(column string) string  { return "TRIM(CAST(" + column + " AS TEXT))" }
func (sqliteDialect) product() string              { return "SQLite" }
func (sqliteDialect) version() string              { return "sqlite_version()" }
func (sqliteDialect) accepted() string {
	return "/PATH of a database file, from the root, or sqlite:/PATH"
}

// limit has nothing to set: the database runs in this process, and ends when the context does.
func (sqliteDialect) limit(context.Context, *sql.Tx, time.Duration) error { return nil }

// class reads result codes. https://www.sqlite.org/rescode.html
func (sqliteDialect) class(err error) (class, string) {
	var file *sqlitedriver.Error
	if !errors.As(err, &file) {
		return 0, ""
	}
	const primary = 0xff
	code := fmt.Sprintf("SQLite %d", file.Code())
	switch file.Code() & primary {
	case sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_IOERR:
		return unreachable, code
	case sqlitecode.SQLITE_NOTADB, sqlitecode.SQLITE_CORRUPT:
		return damaged, code
	case sqlitecode.SQLITE_INTERRUPT:
		return slow, code
	case sqlitecode.SQLITE_READONLY:
		return writes, code
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED:
		return busy, code
	case sqlitecode.SQLITE_TOOBIG:
		return large, code
	case sqlitecode.SQLITE_PERM, sqlitecode.SQLITE_AUTH:
		return forbidden, code
	case sqlitecode.SQLITE_ERROR:
		if strings.Contains(file.Error(), "no such table") { // the code does not say it; the text is not shown
			return missingTable, code
		}
		return syntaxError, code
	}
	return other, code
}

type sqliteDatabase struct{ path string }

// parse reads the path of a file: alone, or in the form of a URI with the scheme sqlite or file. Parameters are refused,
// except for mode=ro, which is what is done anyway: others could open the file for writing.
func (sqliteDialect) parse(dsn string) (database, error) {
	path := dsn
	for _, scheme := range []string{"sqlite:", "file:"} {
		if rest, isURI := strings.CutPrefix(dsn, scheme); isURI {
			path = strings.TrimSuffix(rest, "?mode=ro")
			if rooted, ok := strings.CutPrefix(path, "///"); ok {
				path = "/" + rooted
			}
		}
	}
	switch {
	case !filepath.IsAbs(path) || strings.HasPrefix(path, "//"):
		return nil, errors.New("it is no path from the root of a database file")
	case strings.ContainsAny(path, "?#%\x00"):
		return nil, errors.New("its path has ?, # or %")
	}
	return sqliteDatabase{filepath.Clean(path)}, nil
}

func (d sqliteDatabase) place() string      { return d.path }
func (sqliteDatabase) files() []string      { return nil }
func (d sqliteDatabase) account() string    { return fmt.Sprintf("sqlite %q", d.path) }
func (d sqliteDatabase) warnings() []string { return nil }

// begin sees to it that no value is longer than an answer may be: it would be in memory before it could be refused.
func (sqliteDatabase) begin(ctx context.Context, pool *sql.DB) (*sql.Tx, func(), error) {
	connection, err := pool.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err = sqlitedriver.Limit(connection, sqlitecode.SQLITE_LIMIT_LENGTH, maxValue); err == nil {
		tx, end, wrong := begin(ctx, connection)
		if wrong == nil {
			return tx, func() { end(); _ = connection.Close() }, nil
		}
		err = wrong
	}
	_ = connection.Close()
	return nil, nil, err
}

// connector opens the file for reading only, twice: SQLite itself, and the statements.
func (d sqliteDatabase) connector() (driver.Connector, error) {
	uri := url.URL{Scheme: "file", Path: d.path, RawQuery: fmt.Sprintf("mode=ro&_pragma=busy_timeout(%d)&_pragma=query_only(1)&_pragma=trusted_schema(0)", busyTimeout.Milliseconds())}
	return sqlitedriver.NewConnector(uri.String())
}

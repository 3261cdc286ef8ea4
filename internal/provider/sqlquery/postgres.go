package sqlquery

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

type postgresDialect struct{}

func (postgresDialect) syntax() syntax               { return syntax{nested: true, dollar: true} }
func (postgresDialect) placeholder() string          { return "$1" }
func (postgresDialect) quoteName(name string) string { return quoted(name, `"`) }
func (postgresDialect) asText(column string) string  { return "TRIM(CAST(" + column + " AS text))" }
func (postgresDialect) product() string              { return "PostgreSQL" }
func (postgresDialect) version() string              { return "current_setting('server_version')" }
func (postgresDialect) accepted() string {
	return "postgres://USER:PASSWORD@HOST:PORT/DATABASE, with ?sslmode=verify-full (the default), verify-ca, require or disable"
}

// limit sets the time limit of the statements of the transaction at the server.
func (postgresDialect) limit(ctx context.Context, tx *sql.Tx, d time.Duration) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", max(1, d.Milliseconds())))
	return err
}

// class reads SQLSTATE. https://www.postgresql.org/docs/current/errcodes-appendix.html
func (postgresDialect) class(err error) (class, string) {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return 0, ""
	}
	code := server.Code
	switch {
	case code == "42P01", code == "3F000":
		return missingTable, code
	case code == "42501":
		return forbidden, code
	case code == "57014":
		return slow, code
	case code == "25006":
		return writes, code
	case code == "22P02", code == "42883":
		return comparison, code
	case strings.HasPrefix(code, "28"):
		return credentials, code
	case strings.HasPrefix(code, "3D"):
		return missingDatabase, code
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"):
		return lost, code
	case strings.HasPrefix(code, "53"):
		return busy, code
	case strings.HasPrefix(code, "42"):
		return syntaxError, code
	}
	return other, code
}

type postgresDatabase struct {
	config *pgx.ConnConfig
	mode   string // of TLS
}

// parse reads a URL. Its errors do not show it. Without sslmode the certificate of the server is verified; the modes that
// fall back to plain text are refused.
func (postgresDialect) parse(dsn string) (database, error) {
	u, err := url.Parse(dsn)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL (special characters of a password are written as %XX)")
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return nil, errors.New("it does not begin with postgres://")
	case u.User.Username() == "" && u.Query().Get("user") == "":
		return nil, errors.New("it has no user")
	case u.Host == "" && u.Query().Get("host") == "":
		return nil, errors.New("it has no host")
	case len(u.Query()["sslmode"]) > 1:
		return nil, errors.New("it has sslmode twice")
	case strings.Trim(u.Path, "/") == "":
		return nil, errors.New("it has no database")
	}
	values := u.Query()
	mode := values.Get("sslmode")
	switch mode {
	case "":
		mode = "verify-full"
		values.Set("sslmode", mode)
		u.RawQuery = values.Encode()
	case "disable", "require", "verify-ca", "verify-full":
	case "allow", "prefer":
		return nil, errors.New("its sslmode falls back to an unencrypted connection")
	default:
		return nil, errors.New("its sslmode is not known")
	}
	c, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, errors.New("it has a parameter that is not accepted, or names a file that cannot be read")
	}
	// Each query is described before it runs: a statement that was prepared before a view changed would fail, and a pooler
	// that hands out connections by transaction loses prepared statements.
	c.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	c.RuntimeParams["application_name"] = "step-posture-connector"
	return postgresDatabase{c, mode}, nil
}

func (d postgresDatabase) place() string {
	if strings.HasPrefix(d.config.Host, "/") {
		return d.config.Host
	}
	return fmt.Sprintf("%s:%d", d.config.Host, d.config.Port)
}

func (d postgresDatabase) account() string {
	places := []string{d.place()}
	for _, f := range d.config.Fallbacks {
		places = append(places, fmt.Sprintf("%s:%d", f.Host, f.Port))
	}
	return fmt.Sprintf("postgres %q %q %q", places, d.config.Database, d.config.User)
}

func (d postgresDatabase) warnings() []string {
	return tlsWarnings(d.config.Host, d.mode == "disable", d.mode == "require", "sslmode=verify-full")
}

func (d postgresDatabase) connector() (driver.Connector, error) {
	return stdlib.GetConnector(*d.config), nil
}

package sqlquery

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
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
		// pgx has no error of its own for it.
		if connect := (*pgconn.ConnectError)(nil); errors.As(err, &connect) && strings.Contains(connect.Error(), "server refused TLS connection") {
			return withoutTLS, ""
		}
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
	mode   string   // of TLS
	read   []string // files
}

// inDSN are the parameters that a DSN may have. Others would read passwords and settings from files, change how the server
// reads a query, or be ignored.
func inDSN() []string {
	return []string{
		"host", "port", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "target_session_attrs", "search_path",
	}
}

// withoutEnvironment are the parameters that the driver would take from variables PG… of the environment, or from files in
// the home of the user, as they are without them. A DSN is all that says where the password goes and whom the connector
// believes: the environment of a service is written by more people than its secrets are.
func withoutEnvironment() map[string]string {
	return map[string]string{
		"passfile": os.DevNull, "sslrootcert": "", "sslcert": "", "sslkey": "", "sslpassword": "", "sslcertmode": "allow", "sslsni": "1", "sslnegotiation": "",
		"connect_timeout": "0", "target_session_attrs": "any", "min_protocol_version": "", "max_protocol_version": "", "channel_binding": "prefer", "require_auth": "",
	}
}

// parse reads a URL. Its errors do not show it. Without sslmode the certificate of the server is verified; the modes that
// fall back to plain text are refused.
func (postgresDialect) parse(dsn string) (database, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Fragment != "" {
		return nil, errors.New("it is not a URL (special characters of a password are written as %XX)")
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("it is not a URL (special characters of a password are written as %XX)")
	}
	for name, all := range values {
		switch {
		case !slices.Contains(inDSN(), name):
			return nil, errors.New("it has a parameter that is not accepted; accepted are " + strings.Join(inDSN(), ", "))
		case len(all) > 1, name == "host" && u.Host != "", name == "port" && u.Port() != "", (name == "user" || name == "password") && u.User != nil:
			return nil, fmt.Errorf("it has %s twice", name)
		}
	}
	switch {
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		return nil, errors.New("it does not begin with postgres://")
	case u.User.Username() == "" && values.Get("user") == "":
		return nil, errors.New("it has no user")
	case u.Host == "" && values.Get("host") == "":
		return nil, errors.New("it has no host")
	case strings.Trim(u.Path, "/") == "":
		return nil, errors.New("it has no database")
	case os.Getenv("PGSERVICE") != "": //nolint:forbidigo // the driver reads it, whatever the daemon was started with
		return nil, errors.New("the environment has PGSERVICE, which would add to it")
	}
	mode := cmp.Or(values.Get("sslmode"), "verify-full")
	switch mode {
	case "disable", "require", "verify-ca", "verify-full":
	case "allow", "prefer":
		return nil, errors.New("its sslmode falls back to an unencrypted connection")
	default:
		return nil, errors.New("its sslmode is not known")
	}
	if mode == "disable" && values.Get("sslrootcert") != "" {
		return nil, errNothingVerified
	}
	d := postgresDatabase{mode: mode}
	for _, name := range []string{"sslrootcert", "sslcert", "sslkey"} {
		path := values.Get(name)
		if path == "" || name == "sslrootcert" && path == "system" {
			continue
		}
		if _, err := readFile(path); err != nil {
			return nil, fmt.Errorf("the file of %s cannot be read: %w", name, err)
		}
		d.read = append(d.read, path)
	}
	own := url.Values{"sslmode": {mode}}
	for name, value := range withoutEnvironment() {
		own.Set(name, value)
	}
	if u.Port() == "" && !strings.Contains(u.Host, ",") {
		own.Set("port", "5432")
	}
	for name, all := range values {
		own[name] = all
	}
	u.RawQuery = own.Encode()
	if d.config, err = pgx.ParseConfig(u.String()); err != nil {
		return nil, errors.New("it has a parameter that is not accepted, or names a file that cannot be read")
	}
	password, _ := u.User.Password()
	d.config.Password = cmp.Or(password, values.Get("password"))
	// Each query is described before it runs: a statement that was prepared before a view changed would fail, and a pooler
	// that hands out connections by transaction loses prepared statements.
	d.config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	// A longer row would be in memory before it could be refused.
	d.config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		frontend := pgproto3.NewFrontend(r, w)
		frontend.SetMaxBodyLen(maxValue)
		return frontend
	}
	d.config.RuntimeParams = map[string]string{"application_name": "step-posture-connector"}
	if path := values.Get("search_path"); path != "" {
		d.config.RuntimeParams["search_path"] = path
	}
	return d, nil
}

// files are those that the DSN names.
func (d postgresDatabase) files() []string { return d.read }

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

func (postgresDatabase) begin(ctx context.Context, pool *sql.DB) (*sql.Tx, func(), error) {
	return begin(ctx, pool)
}

func (d postgresDatabase) connector() (driver.Connector, error) {
	return stdlib.GetConnector(*d.config), nil
}

package sqlquery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

type mysqlDialect struct{}

func (mysqlDialect) syntax() syntax {
	return syntax{backslash: true, backtick: true, hash: true, question: true}
}
func (mysqlDialect) placeholder() string          { return "?" }
func (mysqlDialect) quoteName(name string) string { return quoted(name, "`") }
func (mysqlDialect) asText(column string) string  { return "TRIM(CAST(" + column + " AS CHAR))" }
func (mysqlDialect) product() string              { return "MySQL" }
func (mysqlDialect) version() string              { return "VERSION()" }
func (mysqlDialect) accepted() string {
	return "USER:PASSWORD@tcp(HOST:PORT)/DATABASE, with ?tls=true (the default), skip-verify or false, and sslrootcert=FILE for a CA of your own"
}

// limit sets the time limit of the session at the server. The two products call it by different names and units.
// https://mariadb.com/kb/en/server-system-variables/#max_statement_time
// https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_execution_time
func (mysqlDialect) limit(ctx context.Context, tx *sql.Tx, d time.Duration) error {
	var version string
	if err := tx.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	set := fmt.Sprintf("SET SESSION max_execution_time = %d", max(1, d.Milliseconds()))
	if strings.Contains(strings.ToLower(version), "mariadb") {
		set = fmt.Sprintf("SET SESSION max_statement_time = %.3f", max(time.Millisecond, d).Seconds())
	}
	_, err := tx.ExecContext(ctx, set)
	return err
}

// class reads the numbers of errors.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/
func (mysqlDialect) class(err error) (class, string) {
	if errors.Is(err, mysql.ErrInvalidConn) {
		return lost, ""
	}
	if errors.Is(err, mysql.ErrNoTLS) {
		return withoutTLS, ""
	}
	var server *mysql.MySQLError
	if !errors.As(err, &server) {
		return 0, ""
	}
	code := fmt.Sprintf("%s, %d", server.SQLState[:], server.Number)
	switch server.Number {
	case 1045, 1698, 4151, 1862, 3118:
		return credentials, code
	case 1044, 1049:
		return missingDatabase, code
	case 1142, 1143, 1227, 1370, 1356, 1449:
		return forbidden, code
	case 1146:
		return missingTable, code
	case 1969, 3024, 1317, 1205:
		return slow, code
	case 1792, 1290:
		return writes, code
	case 1040, 1203, 1226, 1129:
		return busy, code
	case 1053, 1077, 1927, 2006, 2013:
		return lost, code
	case 1054, 1060, 1064, 1267, 1271:
		return syntaxError, code
	}
	return other, code
}

type mysqlDatabase struct {
	config   *mysql.Config
	insecure bool     // the certificate of the server is not verified
	read     []string // files
}

// parse reads a DSN of the driver. Its errors do not show it. What would change how a query is read, or would send the
// password or files to a server that is not known, is refused.
// https://github.com/go-sql-driver/mysql#dsn-data-source-name
func (mysqlDialect) parse(dsn string) (database, error) {
	dsn, roots := cutRoots(dsn)
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	switch {
	case c.User == "":
		return nil, errors.New("it has no user")
	case c.DBName == "":
		return nil, errors.New("it has no database")
	case c.MultiStatements:
		return nil, errors.New("it has multiStatements, which lets a query have several statements")
	case c.InterpolateParams:
		return nil, errors.New("it has interpolateParams, which writes the identifier into the query")
	case c.AllowAllFiles, c.AllowOldPasswords, c.AllowFallbackToPlaintext, c.AllowCleartextPasswords, c.TLSConfig == "preferred":
		return nil, errors.New("it has a parameter that gives up the protection of the password or of files")
	case len(c.Params) > 0:
		return nil, errors.New("it sets variables of the server")
	}
	if roots != "" && (c.Net == "unix" || c.TLSConfig == "false" || c.TLSConfig == "skip-verify") {
		return nil, errNothingVerified
	}
	d := mysqlDatabase{config: c}
	if c.Net != "unix" && c.TLSConfig != "false" {
		host, _, err := net.SplitHostPort(c.Addr)
		if err != nil {
			return nil, errors.New("its address has no port")
		}
		d.insecure = c.TLSConfig == "skip-verify"
		if !d.insecure && c.TLSConfig != "" && c.TLSConfig != "true" {
			return nil, errors.New("its tls is not known")
		}
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: d.insecure} //nolint:gosec // G402: only where the operator has written skip-verify, and then check warns
		if roots != "" && !d.insecure {
			d.read = []string{roots}
			if c.TLS.RootCAs, err = rootsOf(roots); err != nil {
				return nil, err
			}
		}
	}
	c.ParseTime, c.Loc, c.Logger, c.RejectReadOnly = true, time.UTC, mysql.Logger(&mysql.NopLogger{}), false
	c.Params = map[string]string{"time_zone": "'+00:00'"}
	return d, nil
}

// cutRoots takes the parameter out that the driver does not know. The driver takes the last slash of a DSN for the beginning of
// the database, so it must not see the path.
func cutRoots(dsn string) (rest, path string) {
	found := regexp.MustCompile(`[?&]sslrootcert=([^&?@]*)(&|$)`).FindStringSubmatchIndex(dsn)
	if found == nil {
		return dsn, ""
	}
	rest, path = dsn[:found[0]], dsn[found[2]:found[3]]
	if more := dsn[found[1]:]; more != "" {
		rest += dsn[found[0]:found[0]+1] + more
	}
	return rest, path
}

func rootsOf(path string) (*x509.CertPool, error) {
	pem, err := readFile(path)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("its sslrootcert is no file with certificates in PEM")
	}
	return roots, nil
}

// files are those that the DSN names.
func (d mysqlDatabase) files() []string { return d.read }

func (d mysqlDatabase) place() string { return d.config.Addr }

func (d mysqlDatabase) account() string {
	return fmt.Sprintf("mysql %q %q %q", d.config.Addr, d.config.DBName, d.config.User)
}

func (d mysqlDatabase) warnings() []string {
	host, _, _ := net.SplitHostPort(d.config.Addr)
	if d.config.Net == "unix" {
		return nil
	}
	return tlsWarnings(host, d.config.TLS == nil, d.insecure, "tls=true")
}

func (mysqlDatabase) begin(ctx context.Context, pool *sql.DB) (*sql.Tx, func(), error) {
	return begin(ctx, pool)
}

func (d mysqlDatabase) connector() (driver.Connector, error) { return mysql.NewConnector(d.config) }

// tlsWarnings are about a connection that others can listen to.
func tlsWarnings(host string, plain, unverified bool, better string) []string {
	ip := net.ParseIP(host)
	local := host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
	switch {
	case plain && !local:
		return []string{"the connection to the database is not encrypted: who is on the way can read the password and forge answers; use " + better}
	case unverified:
		return []string{"the certificate of the database is not verified: who is on the way can forge answers; use " + better}
	}
	return nil
}

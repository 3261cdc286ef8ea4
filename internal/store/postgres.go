package store

import (
	"cmp"
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/filesys"
)

var (
	errReadOnly = errors.New("the server is a standby, or only for reading")
	errURL      = notAccepted("it is not a URL (special characters of a password are written as %XX)")
)

// inURL are the parameters that a URL of PostgreSQL may have. Others would read passwords from files, or change how the server
// keeps what it is given.
func inURL() []string {
	return []string{"host", "port", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey", "search_path", "application_name", "connect_timeout", "target_session_attrs"}
}

func parsePostgreSQL(text string) (URL, error) {
	c, mode, err := postgresConfig(text)
	if err != nil {
		return URL{}, err
	}
	places, remote := []string{endpoint(c.Host, c.Port)}, !isLocal(c.Host)
	for _, f := range c.Fallbacks {
		remote = remote || !isLocal(f.Host)
		if p := endpoint(f.Host, f.Port); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	u := URL{dsn: config.NewSecret([]byte(text)), place: strings.Join(places, ",") + "/" + c.Database}
	const better = "use sslmode=verify-full"
	switch {
	case mode == "disable" && remote:
		u.warning = "the connection to the state database is not encrypted: who is on the way can read the password, and make used tokens new; " + better
	case mode == "require":
		u.warning = "the certificate of the state database is not verified: who is on the way can read the password, and make used tokens new; " + better
	}
	return u, nil
}

func endpoint(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// isLocal says that a host is this machine.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
}

// postgresConfig reads a URL, and returns its sslmode too. Its errors show nothing of it.
func postgresConfig(text string) (c *pgx.ConnConfig, mode string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, "", errURL
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, "", errURL
	}
	if err := checkParameters(u, values); err != nil {
		return nil, "", err
	}
	mode, err = sslMode(values, cmp.Or(u.Hostname(), values.Get("host")))
	if err != nil {
		return nil, "", err
	}
	if err := checkFiles(values); err != nil {
		return nil, "", err
	}
	values.Set("sslmode", mode)
	for _, name := range []string{"connect_timeout", "target_session_attrs"} {
		values.Del(name) // ours are stricter
	}
	// The driver would take these from variables PG… of the environment, or from files in the home of the user. More people
	// write the environment of a service than its secrets.
	for name, value := range map[string]string{
		"passfile": os.DevNull, "sslrootcert": "", "sslcert": "", "sslkey": "", "sslpassword": "", "sslcertmode": "allow", "sslsni": "1", "sslnegotiation": "",
		"connect_timeout": "0", "target_session_attrs": "any", "min_protocol_version": "", "max_protocol_version": "", "channel_binding": "prefer", "require_auth": "",
	} {
		if !values.Has(name) {
			values.Set(name, value)
		}
	}
	if u.Port() == "" && !strings.Contains(u.Host, ",") && !values.Has("port") {
		values.Set("port", "5432")
	}
	password, _ := u.User.Password()
	password = cmp.Or(password, values.Get("password"))
	u.RawQuery = values.Encode()
	c, err = pgx.ParseConfig(u.String())
	if err != nil {
		return nil, "", notAccepted("it has a value, or names a file, that is not accepted")
	}
	c.Password = password
	settings := map[string]string{
		"application_name": cmp.Or(values.Get("application_name"), "step-posture-connector"),
		// A redemption that was reported must outlive a crash of the server.
		"synchronous_commit": "on",
		// What is counted under a lock must be what the holder before has written.
		"default_transaction_isolation":       "read committed",
		"statement_timeout":                   milliseconds(operationTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleTransaction),
	}
	if path := values.Get("search_path"); path != "" {
		settings["search_path"] = path
	}
	c.RuntimeParams = settings
	// No statement is prepared: a pooler that hands out connections by transaction loses them.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.ConnectTimeout = connectTimeout / time.Duration(1+len(c.Fallbacks))
	c.ValidateConnect = wantPrimary
	c.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		frontend := pgproto3.NewFrontend(r, w)
		frontend.SetMaxBodyLen(maxMessage)
		return frontend
	}
	return c, mode, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func checkParameters(u *url.URL, values url.Values) error {
	for name, all := range values {
		switch {
		case !slices.Contains(inURL(), name):
			return errors.New("it has a parameter that is not accepted; accepted are " + strings.Join(inURL(), ", "))
		case len(all) > 1, name == "host" && u.Host != "", name == "port" && u.Port() != "", (name == "user" || name == "password") && u.User != nil:
			return fmt.Errorf("it has %s twice", name)
		}
	}
	switch {
	case u.User.Username() == "" && values.Get("user") == "":
		return notAccepted("it has no user")
	case u.Host == "" && values.Get("host") == "":
		return notAccepted("it has no host")
	case strings.Trim(u.Path, "/") == "":
		return notAccepted("it has no database")
	case os.Getenv("PGSERVICE") != "": //nolint:forbidigo // the driver reads it, whatever the daemon was started with
		return errors.New("the environment has PGSERVICE, which would add to it")
	}
	if want := values.Get("target_session_attrs"); want != "" && want != "read-write" && want != "primary" {
		return errors.New("its target_session_attrs is not read-write: the state needs the primary server")
	}
	return nil
}

// checkFiles names the parameter whose file cannot be used. The driver does not say which one it is.
func checkFiles(values url.Values) error {
	for _, name := range []string{"sslrootcert", "sslcert", "sslkey"} {
		path := values.Get(name)
		if path == "" || path == "system" { // the roots of this machine
			continue
		}
		content, err := readBegin(path)
		if err != nil {
			return fmt.Errorf("its %s names a file that cannot be read: %w; accepted: the path of a PEM file that the daemon may read", name, filesys.Cause(err))
		}
		if name == "sslrootcert" && !x509.NewCertPool().AppendCertsFromPEM(content) {
			return errors.New("its sslrootcert names a file without a certificate; accepted: the path of a PEM file with the root of the server")
		}
	}
	return nil
}

func readBegin(path string) ([]byte, error) {
	file, err := filesys.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, maxRoots))
}

// sslMode is that of the URL. Without one the certificate of the server is verified, except on the machine itself. Modes that
// fall back to plain text are refused elsewhere.
func sslMode(values url.Values, host string) (string, error) {
	local := isLocal(host)
	usual := "verify-full"
	if local && values.Get("sslrootcert") == "" {
		usual = "prefer"
	}
	mode := cmp.Or(values.Get("sslmode"), usual)
	switch mode {
	case "require", "verify-ca", "verify-full":
	case "allow", "prefer", "disable":
		if values.Get("sslrootcert") != "" {
			return "", errors.New("it has sslrootcert, and an sslmode that verifies nothing; accepted: verify-full, verify-ca")
		}
		if mode != "disable" && !local {
			return "", errors.New("its sslmode falls back to an unencrypted connection; accepted: verify-full, verify-ca, require, disable")
		}
	default:
		return "", errors.New("its sslmode is not known; accepted: verify-full, verify-ca, require, disable")
	}
	return mode, nil
}

// wantPrimary refuses a connection to a server that cannot write, also for reading: a standby lags, and would not know that a
// token was revoked.
func wantPrimary(ctx context.Context, c *pgconn.PgConn) error {
	r := c.ExecParams(ctx, "SHOW transaction_read_only", nil, nil, nil, nil).Read()
	switch {
	case r.Err != nil:
		return r.Err
	case len(r.Rows) != 1 || len(r.Rows[0]) != 1 || string(r.Rows[0][0]) != "off":
		return errReadOnly
	}
	return nil
}

func (u URL) postgresConnector() (driver.Connector, error) {
	c, _, err := postgresConfig(string(u.dsn.Reveal()))
	if err != nil {
		return nil, err
	}
	return stdlib.GetConnector(*c), nil
}

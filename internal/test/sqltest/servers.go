package sqltest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	// The drivers of the administrator's connections.
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// PostgreSQL starts the newest PostgreSQL that is installed. It does not wait for the disk, unless settings (name=value) say so.
func PostgreSQL(t testing.TB, settings ...string) *Server {
	t.Helper()
	return start(t, kind{
		program: "postgres", folders: "/usr/lib/postgresql/*/bin", install: "postgresql", driver: "pgx",
		prepare: func(s *Server) []string {
			password := s.path("password")
			_ = os.WriteFile(password, []byte(AdminPassword), 0o644) //nolint:gosec // G306: the server's user reads it
			return []string{
				filepath.Join(filepath.Dir(s.program), "initdb"), "-D", s.path("data"), "-U", "admin", "-A", "scram-sha-256",
				"--pwfile", password, "--no-sync", "-E", "UTF8", "--locale=C",
			}
		},
		run: func(s *Server) []string {
			arguments := []string{
				"-D", s.path("data"), "-p", s.port(), "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200",
				"-c", "ssl=on", "-c", "ssl_cert_file=" + s.path("cert.pem"), "-c", "ssl_key_file=" + s.path("key.pem"),
			}
			for _, setting := range settings {
				arguments = append(arguments, "-c", setting)
			}
			return arguments
		},
		admin: func(s *Server) string { return s.PostgresURL("admin", AdminPassword, "postgres") },
		setUp: []string{
			"CREATE ROLE " + Reader + " LOGIN PASSWORD '" + ReaderPassword + "'",
			"GRANT USAGE ON SCHEMA public TO " + Reader,
		},
	})
}

// PostgresURL is a DSN of the server, with a certificate that is verified.
func (s *Server) PostgresURL(user, password, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Host: s.Address, Path: "/" + database,
		RawQuery: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CA}}.Encode(),
	}
	return u.String()
}

// MariaDB starts the MariaDB that is installed.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	return start(t, kind{
		program: "mariadbd", folders: "/usr/sbin", install: "mariadb-server", driver: "mysql",
		prepare: func(s *Server) []string {
			// A server that starts removes what others have in the same folder of temporary tables.
			return []string{"mariadb-install-db", "--no-defaults", "--datadir=" + s.path("data"), "--tmpdir=" + s.path("temp"), "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-flush-log-at-trx-commit=0"}
		},
		run: func(s *Server) []string {
			// The password is set by a file, before the first connection.
			first := fmt.Appendf(nil,
				"CREATE USER IF NOT EXISTS 'admin'@'127.0.0.1' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO 'admin'@'127.0.0.1' WITH GRANT OPTION;\nCREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4;\n",
				AdminPassword, Database)
			_ = os.WriteFile(s.path("init.sql"), first, 0o644) //nolint:gosec // G306: the server's user reads it
			return []string{
				"--no-defaults", "--datadir=" + s.path("data"), "--tmpdir=" + s.path("temp"), "--port=" + s.port(), "--bind-address=127.0.0.1", "--socket=" + s.path("data", "s"),
				"--pid-file=" + s.path("data", "pid"), "--skip-name-resolve", "--init-file=" + s.path("init.sql"), "--max-connections=200",
				"--ssl-cert=" + s.path("cert.pem"), "--ssl-key=" + s.path("key.pem"), "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
			}
		},
		admin: func(s *Server) string { return s.MySQL("admin", AdminPassword, Database) + "?tls=skip-verify" },
		setUp: []string{
			"CREATE USER '" + Reader + "'@'127.0.0.1' IDENTIFIED BY '" + ReaderPassword + "'",
			// Who may read no table of a database may not use the database.
			"CREATE TABLE first (x INT)", "GRANT SELECT ON " + Database + ".first TO '" + Reader + "'@'127.0.0.1'",
		},
	})
}

// MySQL is a DSN of the server, without parameters.
func (s *Server) MySQL(user, password, database string) string {
	return user + ":" + password + "@tcp(" + s.Address + ")/" + database
}

func (s *Server) path(names ...string) string {
	return filepath.Join(append([]string{s.folder}, names...)...)
}

// certificates makes a certificate for 127.0.0.1.
func (s *Server) certificates() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sqltest"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	s.CA = s.path("cert.pem")
	return errors.Join(
		os.WriteFile(s.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o644), //nolint:gosec // G306: the server's user reads it
		os.WriteFile(s.path("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}

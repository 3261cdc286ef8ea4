package store

import (
	"context"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"step-posture-connector/internal/journal"
)

// class is what an error of a database means, in words.
type class string

// The classes.
const (
	other          class = "it could not answer"
	unreachable    class = "it cannot be reached"
	untrusted      class = "its certificate is not trusted: it must have the name of the host, and sslrootcert in STATE_URL names a file with its root"
	handshake      class = "it agreed on no TLS with the daemon: it must have TLS 1.2 or 1.3, and its client certificate where it wants one is sslcert and sslkey in STATE_URL"
	withoutTLS     class = "it does not offer TLS; let it do so, or add sslmode=disable to STATE_URL where nobody else is on the network"
	lost           class = "the connection was lost"
	slow           class = "it did not answer in time"
	busy           class = "it has no room for another connection, is locked, or is starting"
	credentials    class = "it refused the user or the password"
	notAdmitted    class = "its pg_hba.conf does not let the user in from here, or not so: with TLS, or without"
	noDatabase     class = "it does not have the database, or the user may not use it"
	noSchema       class = "it has no schema that the user may use: give the user a schema of its own"
	taken          class = "it has a table of the same name that is not ours: give the user a schema of its own"
	pooler         class = "it, or a pooler before it, does not accept the settings of the connection: connect to PostgreSQL itself"
	incomplete     class = "some of its tables or columns are missing: restore it as a whole, or remove all of it"
	noTable        class = "its tables do not exist; start the daemon once"
	forbidden      class = "the user may not do this: it must own the tables, and the schema where they do not exist yet"
	readOnly       class = "it is a standby, or only for reading: the state needs the primary server"
	full           class = "its disk or its memory is full"
	damaged        class = "it is no database, or damaged"
	foreign        class = "it has the tables of another program: give the connector a file of its own"
	cannotBeOpened class = "it cannot be opened or written: the file and its folder must belong to the user of the daemon, and a command run as this user or as root"
	refused        class = "it does not accept what it was given"
	moved          class = "its file was removed or replaced while the daemon runs; restart the daemon"
)

// isOutage says that the database does not answer anybody.
func (c class) isOutage() bool {
	switch c {
	case unreachable, untrusted, withoutTLS, handshake, lost, slow, busy, credentials, notAdmitted, noDatabase, noTable, readOnly, pooler:
		return true
	default:
		return false
	}
}

// fault says that the database did not do what it was asked for. It holds nothing that the driver or the server wrote, except the
// code of the error: their texts have addresses, values and passwords.
type fault struct {
	place string
	class class
	code  string // SQLSTATE, or the number of SQLite
	cause error  // that of the context, or ErrNoTables; nothing of a driver
}

func (f *fault) Error() string {
	if f.code == "" {
		return fmt.Sprintf("the state database, %s: %s", f.place, f.class)
	}
	return fmt.Sprintf("the state database, %s: %s (%s)", f.place, f.class, f.code)
}

func (f *fault) Unwrap() error { return f.cause }

// Is says what the fault means to the journal: whether a later try can succeed.
func (f *fault) Is(target error) bool {
	return target == journal.ErrOutage && f.class.isOutage() || target == journal.ErrRefused && f.class == refused
}

// fault classifies an error of a driver.
func (d *DB) fault(ctx context.Context, err error) *fault {
	if known := (*fault)(nil); errors.As(err, &known) {
		return known
	}
	f := &fault{place: d.url.String()}
	f.class, f.code = classify(err)
	if ended := ctx.Err(); ended != nil {
		f.class, f.code, f.cause = slow, "", ended
	} else if f.class == slow {
		f.cause = context.DeadlineExceeded // the server was faster than the clock of the context, by the same limit
	}
	return f
}

func classify(err error) (class, string) {
	var (
		server *pgconn.PgError
		file   *sqlitedriver.Error
	)
	switch {
	case errors.Is(err, errReadOnly):
		return readOnly, ""
	case errors.As(err, &server):
		return postgresClass(server.Code), server.Code
	case errors.As(err, &file):
		return sqliteClass(file), fmt.Sprintf("SQLite %d", file.Code())
	}
	return transportClass(err), ""
}

// postgresClass reads SQLSTATE. https://www.postgresql.org/docs/current/errcodes-appendix.html
func postgresClass(code string) class {
	switch code {
	case "42P01":
		return noTable
	case "42703":
		return incomplete
	case "28000":
		return notAdmitted
	case "3F000":
		return noSchema
	case "42P07":
		return taken
	case "08P01":
		return pooler
	case "42501":
		return forbidden
	case "25006":
		return readOnly
	case "57014", "25P03", "55P03":
		return slow
	case "57P03", "53300":
		return busy
	}
	switch code[:min(len(code), 2)] {
	case "28":
		return credentials
	case "3D":
		return noDatabase
	case "57", "08":
		return lost
	case "53":
		return full
	case "40":
		return busy
	case "XX":
		return damaged
	case "22", "23", "54":
		return refused
	}
	return other
}

// sqliteClass reads result codes. https://www.sqlite.org/rescode.html
func sqliteClass(err *sqlitedriver.Error) class {
	const primary = 0xff
	switch err.Code() & primary {
	case sqlitecode.SQLITE_CANTOPEN, sqlitecode.SQLITE_IOERR, sqlitecode.SQLITE_READONLY, sqlitecode.SQLITE_PERM, sqlitecode.SQLITE_AUTH:
		return cannotBeOpened
	case sqlitecode.SQLITE_NOTADB, sqlitecode.SQLITE_CORRUPT:
		return damaged
	case sqlitecode.SQLITE_INTERRUPT:
		return slow
	case sqlitecode.SQLITE_BUSY, sqlitecode.SQLITE_LOCKED:
		return busy
	case sqlitecode.SQLITE_FULL, sqlitecode.SQLITE_NOMEM:
		return full
	case sqlitecode.SQLITE_TOOBIG, sqlitecode.SQLITE_CONSTRAINT, sqlitecode.SQLITE_MISMATCH:
		return refused
	case sqlitecode.SQLITE_ERROR:
		switch text := err.Error(); { // the code does not say it; the text is not shown
		case strings.Contains(text, "no such table"):
			return noTable
		case strings.Contains(text, "no such column"):
			return incomplete
		}
	}
	return other
}

// transportClass classifies an error that no database has sent.
func transportClass(err error) class {
	var (
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		certificate x509.CertificateInvalidError
		name        *net.DNSError
		network     net.Error
		operation   *net.OpError
		connect     *pgconn.ConnectError
	)
	switch {
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &certificate):
		return untrusted
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &network) && network.Timeout():
		return slow
	case errors.As(err, &name), errors.As(err, &operation) && operation.Op == "dial":
		return unreachable
	case errors.As(err, &connect) && strings.Contains(connect.Error(), "server refused TLS connection"): // pgx has no error of its own for it
		return withoutTLS
	case errors.As(err, &operation) && operation.Op == "remote error", errors.As(err, &connect) && strings.Contains(connect.Error(), "tls error: tls: "): // crypto/tls has no errors of its own for it
		return handshake
	case errors.As(err, &operation), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn), errors.Is(err, net.ErrClosed), errors.Is(err, sql.ErrConnDone):
		return lost
	}
	return other
}

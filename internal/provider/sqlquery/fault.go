package sqlquery

import (
	"context"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"

	"step-posture-connector/internal/posture"
)

// class is what an error of a database means.
type class int

// The classes.
const (
	other class = iota + 1
	unreachable
	untrusted
	withoutTLS
	lost
	slow
	busy
	credentials
	missingDatabase
	missingTable
	forbidden
	writes
	syntaxError
	comparison
	damaged
	large
)

func (c class) String() string {
	switch c {
	case unreachable:
		return "it cannot be reached or opened"
	case untrusted:
		return "its certificate is not trusted"
	case withoutTLS:
		return "it does not offer TLS, which the address asks for"
	case lost:
		return "the connection was lost"
	case slow:
		return "it did not answer in time"
	case busy:
		return "it has no room for another connection, or is locked"
	case credentials:
		return "it refused the user or the password"
	case missingDatabase:
		return "it does not have the database, or the user may not use it"
	case missingTable:
		return "a table or view of the query does not exist, or the user may not see it"
	case forbidden:
		return "the user may not read a table or view of the query"
	case writes:
		return "the query writes, and only reading is allowed"
	case syntaxError:
		return "it does not understand the query: a name or the syntax is wrong"
	case comparison:
		return "the parameter is text, and the query compares it with another type: cast the column to text"
	case damaged:
		return "it is no database, or damaged"
	case large:
		return fmt.Sprintf("a value has more than %d bytes", maxValue)
	default:
		return "it could not answer"
	}
}

// Fault says that the database did not answer. It holds nothing that the server or the driver wrote, except the code of the
// error.
type Fault struct {
	place string
	class class
	code  string // SQLSTATE, or the database's own number
	cause error  // posture.ErrCredentials, or that of the context; nothing of a driver
}

func (f *Fault) Error() string {
	if f.code == "" {
		return fmt.Sprintf("the database at %s: %v", f.place, f.class)
	}
	return fmt.Sprintf("the database at %s: %v (%s)", f.place, f.class, f.code)
}

func (f *Fault) Unwrap() error { return f.cause }

// fault classifies an error of a driver. Drivers put the DSN, values and the server's words into their errors, so none of
// them is wrapped.
func (p *Provider) fault(ctx context.Context, err error) error {
	f := &Fault{place: p.database.place()}
	if f.class, f.code = p.dialect.class(err); f.class == 0 {
		f.class = transport(err)
	}
	switch ended := context.Cause(ctx); {
	case ended != nil:
		f.class, f.code, f.cause = slow, "", ended
		if !errors.Is(ended, context.DeadlineExceeded) && !errors.Is(ended, context.Canceled) {
			f.cause = ctx.Err()
		}
	case f.class == credentials:
		f.cause = posture.ErrCredentials
	case f.class == slow:
		f.cause = context.DeadlineExceeded // the server was faster than the clock of the context, by the same limit
	}
	return f
}

// transport classifies an error that no database has sent.
func transport(err error) class {
	var (
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		certificate x509.CertificateInvalidError
		network     net.Error
		operation   *net.OpError
		body        *pgproto3.ExceededMaxBodyLenErr
	)
	switch {
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &certificate):
		return untrusted
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &network) && network.Timeout():
		return slow
	case errors.As(err, &body):
		return large
	case errors.As(err, &operation) && operation.Op == "dial":
		return unreachable
	case errors.As(err, &operation), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn), errors.Is(err, net.ErrClosed), errors.Is(err, sql.ErrConnDone):
		return lost
	}
	return other
}

// isLost reports whether the same lookup may succeed on another connection.
func isLost(err error) bool {
	f := (*Fault)(nil)
	return errors.As(err, &f) && f.class == lost
}

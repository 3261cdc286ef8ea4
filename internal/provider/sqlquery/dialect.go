package sqlquery

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The words of SQL_DRIVER.
const (
	postgres = "postgres"
	mysqlDB  = "mysql"
	sqlite   = "sqlite"
)

// dialect is what one kind of database needs.
type dialect interface {
	syntax() syntax
	// placeholder says in words how the parameter is written.
	placeholder() string
	// quoteName writes the name of a column.
	quoteName(name string) string
	// asText is an expression that makes text without blanks at its ends of a column of any type.
	asText(column string) string
	// product is the name of the database in messages.
	product() string
	// version is an expression for its version.
	version() string
	// limit makes the server itself end statements of the transaction that take longer.
	limit(ctx context.Context, tx *sql.Tx, d time.Duration) error
	// class says what an error of the driver means.
	class(err error) (class, string)
	parse(dsn string) (database, error)
	accepted() string
}

// database is one that a DSN names.
type database interface {
	// account is the address, the database and the user, without the password.
	account() string
	// place is where it is, for messages.
	place() string
	// warnings are about the DSN.
	warnings() []string
	connector() (driver.Connector, error)
	// begin begins a transaction that only reads. end ends it.
	begin(ctx context.Context, pool *sql.DB) (tx *sql.Tx, end func(), err error)
	// files are those that the DSN names, which decide whom the connector believes.
	files() []string
}

// begin begins a transaction that only reads, on one of the connections.
func begin(ctx context.Context, on interface {
	BeginTx(ctx context.Context, options *sql.TxOptions) (*sql.Tx, error)
},
) (tx *sql.Tx, end func(), err error) {
	if tx, err = on.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return nil, nil, err
	}
	return tx, func() { _ = tx.Rollback() }, nil // nothing was written
}

// errNothingVerified is the error of a CA that would not be used.
var errNothingVerified = errors.New("it has sslrootcert, and nothing is verified by it")

func (c Config) dialect() parser {
	switch c.Driver {
	case postgres:
		return parser{postgresDialect{}}
	case mysqlDB:
		return parser{mysqlDialect{}}
	case sqlite:
		return parser{sqliteDialect{}}
	}
	return parser{}
}

func (c Config) known() bool { return c.dialect().dialect != nil }

func (c Config) acceptedDSN() string { return c.dialect().accepted() }

func (c Config) database() (database, error) {
	if !c.known() {
		return nil, errors.New("the driver is not known")
	}
	return c.dialect().parse(string(c.DSN.Reveal()))
}

// parser reads the statements of a dialect.
type parser struct{ dialect }

func (p parser) lookupStatement(text string) (statement, error) {
	s, err := p.syntax().parse(text)
	if err == nil && s.places == 0 {
		err = fmt.Errorf("%w, %s", errNoParameter, p.placeholder())
	}
	return s, err
}

func (p parser) listStatement(text string) (statement, error) {
	s, err := p.syntax().parse(text)
	if err == nil && s.places > 0 {
		err = errSurplus
	}
	return s, err
}

// derived is the lookup in a list. The case of letters does not matter to identifiers, so it must not here; a numeric
// column is compared as text.
func (p parser) derived(list statement, column string) statement {
	parameter, one := "?", statement{places: 1}
	if p.syntax().dollar {
		parameter = "$1"
	}
	// The line breaks end a comment at the end of the list.
	one.text = "SELECT * FROM (\n" + list.text + "\n) d WHERE UPPER(" + p.asText("d."+p.quoteName(column)) + ") = UPPER(" + parameter + ")"
	return one
}

// arguments are the values of the parameter.
func (p parser) arguments(s statement, identifier string) []any {
	n := min(s.places, 1)
	if p.syntax().question && !p.syntax().numbered {
		n = s.places // each question mark is a parameter of its own
	}
	all := make([]any, n)
	for i := range all {
		all[i] = identifier
	}
	return all
}

func quoted(name, mark string) string {
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
}

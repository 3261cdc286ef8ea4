// Package sqlquery is an inventory in a database: PostgreSQL, MySQL or MariaDB, or a SQLite file. The administrator
// writes a query whose columns have the names of facts.
package sqlquery

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/filesys"
	"step-posture-connector/internal/posture"
)

// Config says which database to ask, and what.
type Config struct {
	// The kind of database; `mysql` is MariaDB too.
	Driver string `env:"SQL_DRIVER,required" example:"postgres" choice:"postgres,mysql,sqlite"`
	// Where the database is, with user and password; the form depends on the kind.
	DSN config.Secret `env:"SQL_DSN,required" example:"postgres://step_posture:password@db.example.com/inventory" path:"allowed" accepted:"postgres://USER:PASSWORD@HOST:PORT/DATABASE, USER:PASSWORD@tcp(HOST:PORT)/DATABASE for mysql, or the path of a file for sqlite"`
	// A file with one SELECT statement that finds a device by one parameter, the identifier.
	QueryFile config.Path `env:"SQL_QUERY_FILE" unset:"required without a policy file" example:"device.sql" accepted:"the path of a file with one SELECT statement that has the identifier as its parameter"`
	// The same statement in the policy file itself.
	Query config.Lines `env:"SQL_QUERY" only:"section" accepted:"one SELECT statement that has the identifier as its parameter: $1 (postgres, sqlite) or ? (mysql, sqlite)"`
	// A statement without a parameter that returns all devices: for a snapshot and an export. Without another query, lookups use it too.
	ListQuery config.Lines `env:"SQL_LIST_QUERY" only:"section" accepted:"one SELECT statement without a parameter, which returns all devices"`
	// Seconds for each lookup in the database.
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`
}

// The variables of Config, in messages.
const (
	driverVariable    = "SQL_DRIVER"
	dsnVariable       = "SQL_DSN"
	queryFileVariable = "SQL_QUERY_FILE"
	queryVariable     = "SQL_QUERY"
	listVariable      = "SQL_LIST_QUERY"
)

// Requirements are none of its own: the query says which devices there are.
func (c Config) Requirements() posture.Requirements { return posture.Requirements{} }

// Facts are all: each can be a column.
func (c Config) Facts() posture.FactSet { return posture.AllFacts() }

// Listable says that a section may have a snapshot; it needs list_query.
func (c Config) Listable() {}

// Files are those that the inventory is configured by.
func (c Config) Files() []string {
	var files []string
	if c.QueryFile != "" {
		files = append(files, string(c.QueryFile))
	}
	if d, err := c.database(); err == nil {
		files = append(files, d.files()...)
	}
	return files
}

// ConfiguredBy are the same files.
func (c Config) ConfiguredBy() []string { return c.Files() }

// Account is the database, its user, and the contents of the file with the query: they decide which records there are.
// It has no password.
func (c Config) Account() string {
	account := ""
	if d, err := c.database(); err == nil {
		account = d.account()
	}
	text, err := readQuery(c.QueryFile)
	if err != nil {
		return account
	}
	return fmt.Sprintf("%s\n%x", account, sha256.Sum256([]byte(text)))
}

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	_, problems := c.queries()
	if c.DSN.IsSet() && c.known() {
		if _, err := c.database(); err != nil {
			problems = append(problems, config.Problem{Variable: dsnVariable, Text: err.Error(), Accepted: c.acceptedDSN()})
		}
	}
	return problems
}

// queries are the statements of a configuration. A zero one is not given.
type queries struct{ lookup, list statement }

func (c Config) queries() (queries, config.Problems) {
	if !c.known() {
		return queries{}, nil // reported by the tags
	}
	var q queries
	var problems config.Problems
	wrong := func(variable, accepted string, err error) {
		problems = append(problems, config.Problem{Variable: variable, Text: err.Error(), Accepted: accepted})
	}
	one := "one SELECT statement that has the identifier as its parameter, " + c.dialect().placeholder()
	var err error
	switch {
	case c.Query != "" && c.QueryFile != "":
		problems = append(problems, config.Problem{Variable: queryFileVariable, Text: "there is a query beside it", Accepted: "one of both"})
	case c.Query != "":
		if q.lookup, err = c.dialect().lookupStatement(string(c.Query)); err != nil {
			wrong(queryVariable, one, err)
		}
	case c.QueryFile != "":
		text, err := readQuery(c.QueryFile)
		if err == nil {
			q.lookup, err = c.dialect().lookupStatement(text)
		}
		if err != nil {
			wrong(queryFileVariable, "a file with "+one, err)
		}
	case c.ListQuery == "":
		problems = append(problems, config.Problem{Variable: driverVariable, Text: "there is no query for it", Accepted: queryFileVariable + ", or in a policy file query, query_file or list_query"})
	}
	if c.ListQuery != "" {
		if q.list, err = c.dialect().listStatement(string(c.ListQuery)); err != nil {
			wrong(listVariable, "one SELECT statement without a parameter", err)
		}
	}
	return q, problems
}

// readQuery reads the file of a query; no path is no text. The error does not show the path, which the operator knows.
func readQuery(path config.Path) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := readFile(string(path))
	if err != nil {
		return "", fmt.Errorf("the file cannot be read: %w", err)
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// readFile reads a small file. The error does not show the path.
func readFile(path string) ([]byte, error) {
	f, err := filesys.Open(path)
	if err != nil {
		return nil, filesys.Cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, filesys.Cause(err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, nil
}

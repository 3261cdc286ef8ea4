package sqlquery

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"step-posture-connector/internal/posture"
)

// The facts that a query is read by.
const (
	identifierFact = "device.identifier"
	serialFact     = "device.serial_number"
	udidFact       = "device.udid"
	typeFact       = "device.type"
	managedFact    = "device.managed"
	lastSeenFact   = "device.last_seen"
	groupsFact     = "device.groups"
	attributesFact = "device.attributes"
)

// nearMiss is how many letters of a fact's name may be wrong until a column is taken for an attribute.
const nearMiss = 2

// vocabulary is the facts by the names that a column may have, in lower case.
type vocabulary struct {
	byName map[string]*posture.Definition
	// always is read in every lookup: it is judged without a rule.
	always, attributes posture.FactSet
}

func newVocabulary() *vocabulary {
	v := &vocabulary{
		byName: map[string]*posture.Definition{},
		always: posture.MustFacts(identifierFact, typeFact, managedFact), attributes: posture.MustFacts(attributesFact),
	}
	for _, d := range posture.Vocabulary() {
		v.byName[d.Name] = d
		v.byName[alias(d.Name)] = d
	}
	return v
}

// alias is the name of a fact that needs no quotation marks in a query.
func alias(fact string) string { return strings.Replace(fact, ".", "_", 1) }

// near returns the column that a name was probably meant to be.
func (v *vocabulary) near(name string) (string, bool) {
	name = strings.ToLower(name)
	best, least := "", nearMiss+1
	for _, d := range posture.Vocabulary() {
		_, bare, _ := strings.Cut(d.Name, ".")
		if name == bare || name == strings.ReplaceAll(bare, "_", "") {
			return alias(d.Name), true
		}
		if distance := levenshtein.ComputeDistance(strings.Replace(name, ".", "_", 1), alias(d.Name)); distance < least {
			best, least = alias(d.Name), distance
		}
	}
	return best, best != ""
}

// column is one of the answer to a query.
type column struct {
	name string // as the database writes it
	typ  string // the database's name of its type, in upper case
	fact *posture.Definition
}

// text is what a message calls the column: a fact, or its own name.
func (c column) text() string {
	if c.fact != nil {
		return alias(c.fact.Name)
	}
	return fmt.Sprintf("%.64q", c.name)
}

var (
	errNoIdentifier = errors.New("the query has no column device_identifier, device_serial_number or device_udid")
	errNoColumn     = errors.New("the query has the column device_attributes; every other column is an attribute already")
)

// reader makes records of the rows of one answer.
type reader struct {
	*Provider
	columns    []column
	identifier int
	typ        int // -1 where there is no such column
	lastSeen   int
	groups     int
	given      posture.FactSet // facts that have a column
	arrays     arrays
}

// reader reads the columns of an answer.
func (p *Provider) reader(rows *sql.Rows) (*reader, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, &Fault{place: p.database.place(), class: other}
	}
	r := &reader{Provider: p, given: p.names.always}
	seen := map[string]bool{}
	for _, t := range types {
		name := strings.ToLower(t.Name())
		c := column{name: t.Name(), typ: strings.ToUpper(t.DatabaseTypeName()), fact: p.names.byName[name]}
		if c.fact != nil {
			name = c.fact.Name
			r.given |= c.fact.Set()
		} else {
			r.given |= p.names.attributes
		}
		switch {
		case name == attributesFact:
			return nil, errNoColumn
		case seen[name]:
			return nil, fmt.Errorf("the query has two columns %s", c.text())
		}
		seen[name] = true
		r.columns = append(r.columns, c)
	}
	if r.identifier = r.first(identifierFact, serialFact, udidFact); r.identifier < 0 {
		return nil, errNoIdentifier
	}
	r.typ, r.lastSeen, r.groups = r.first(typeFact), r.first(lastSeenFact), r.first(groupsFact)
	return r, nil
}

// first is the column of the first of these facts that has one, or -1.
func (r *reader) first(facts ...string) int {
	for _, fact := range facts {
		if i := slices.IndexFunc(r.columns, func(c column) bool { return c.fact != nil && c.fact.Name == fact }); i >= 0 {
			return i
		}
	}
	return -1
}

// doubts are warnings about the columns.
func (r *reader) doubts(query string) []string {
	var warnings []string
	if r.first(managedFact) < 0 {
		warnings = append(warnings, query+" has no column device_managed: no device counts as managed, and only a policy with allow_unmanaged allows one")
	}
	for _, c := range r.columns {
		near, is := "", false
		if c.fact == nil {
			near, is = r.names.near(c.name)
		}
		switch {
		case is:
			warnings = append(warnings, fmt.Sprintf("%s: the column %s is an attribute; did you mean %s?", query, c.text(), near))
		case !c.readable():
			warnings = append(warnings, fmt.Sprintf("%s: the column %s has a type that cannot be read; cast it to another", query, c.text()))
		}
	}
	return warnings
}

// readable reports whether values of the column's type can be read.
func (c column) readable() bool {
	binary := slices.Contains([]string{"BYTEA", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "GEOMETRY"}, c.typ)
	structured := c.typ == "JSON" || c.typ == "JSONB" || isArray(c.typ)
	switch {
	case binary:
		return false
	case c.fact == nil || c.fact.Type == posture.ListFact:
		return true
	case structured:
		return false
	case c.fact.Type == posture.TimeFact:
		return !slices.Contains([]string{"TIME", "TIMETZ", "INTERVAL", "BOOL", "BOOLEAN", "UUID", "YEAR"}, c.typ)
	case c.fact.Type == posture.BoolFact:
		return !slices.Contains([]string{"TIME", "TIMETZ", "INTERVAL", "DATE", "DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "UUID", "FLOAT4", "FLOAT8", "DOUBLE", "FLOAT"}, c.typ)
	}
	return true
}

func isArray(typ string) bool { return strings.HasPrefix(typ, "_") }

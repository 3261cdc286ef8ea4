package sqlquery

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"step-posture-connector/internal/posture"
)

// errNoList says that the inventory cannot be listed.
var errNoList = errors.New("list_query is not set")

// Lists implements posture.Lister: there is one list of all devices, where there is a query for it.
func (p *Provider) Lists() []posture.DeviceType {
	if !p.queries.list.isSet() {
		return nil
	}
	return []posture.DeviceType{""}
}

// ListLacks says what has to be configured for lists.
func (p *Provider) ListLacks() string { return "list_query is not set" }

// ListGives implements posture.Lister. A lookup gives no document, so there is none that a list could lack.
func (p *Provider) ListGives() posture.FactSet { return posture.AllFacts() | posture.Document }

// List implements posture.Lister. It takes one of several connections, so that lookups do not wait for it. Its total is the number
// of rows: the database says the end of an answer, and one that did not arrive whole is an error.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	var listed posture.Listed
	if !p.queries.list.isSet() || list.Type != "" {
		return listed, errNoList
	}
	err := p.read(ctx, listTimeout, func(ctx context.Context, tx *sql.Tx) error {
		given, err := p.comparable(ctx, tx)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, p.queries.list.text)
		if err != nil {
			return p.fault(ctx, err)
		}
		defer rows.Close()
		r, err := p.reader(rows)
		if err != nil {
			return err
		}
		listed.Facts = list.Facts & given(r)
		listed.Total, err = r.all(ctx, rows, list.Facts, each)
		return err
	})
	if err != nil {
		return posture.Listed{}, err
	}
	return listed, nil
}

// comparable finds out what the list says as a lookup does. A fact that only the query has a column for is not given: in the
// list it is not unknown. A fact that neither has is unknown in both.
func (p *Provider) comparable(ctx context.Context, tx *sql.Tx) (func(list *reader) posture.FactSet, error) {
	all := posture.AllFacts() | posture.Document
	if !p.queries.lookup.isSet() {
		return func(*reader) posture.FactSet { return all }, nil
	}
	lookup, err := p.columnsOf(ctx, tx, p.queries.lookup)
	if err != nil {
		return nil, err
	}
	return func(list *reader) posture.FactSet {
		given := all &^ (lookup.given &^ list.given)
		for _, c := range lookup.columns {
			if c.fact == nil && !slices.ContainsFunc(list.columns, func(other column) bool { return other.name == c.name }) {
				given &^= p.names.attributes
			}
		}
		return given
	}, nil
}

// columnsOf runs a query with an identifier that no device has, and reads the names of its columns.
func (p *Provider) columnsOf(ctx context.Context, tx *sql.Tx, s statement) (*reader, error) {
	rows, err := tx.QueryContext(ctx, s.text, p.dialect.arguments(s, absent)...)
	if err != nil {
		return nil, p.fault(ctx, err)
	}
	defer rows.Close()
	r, err := p.reader(rows)
	if err != nil {
		return nil, err
	}
	for rows.Next() { // the end of the answer is what is read
	}
	if err := rows.Err(); err != nil {
		return nil, p.fault(ctx, err)
	}
	return r, nil
}

// absent is an identifier that no device has.
const absent = "--none--"

// all passes every record of a list on, and returns how many there are. Rows that follow each other and are alike but for the
// groups are one record.
func (r *reader) all(ctx context.Context, rows *sql.Rows, wanted posture.FactSet, each func(posture.Listing) error) (int, error) {
	var pending *row
	count := 0
	flush := func() error {
		if pending == nil {
			return nil
		}
		count++
		return each(r.listing(*pending, wanted))
	}
	for rows.Next() {
		next, err := r.scan(ctx, rows)
		switch {
		case err != nil:
			return 0, err
		case pending != nil && next.id != "" && pending.key == next.key && r.groups >= 0:
			pending.groups = append(pending.groups, next.groups...)
			if len(pending.groups) > maxRows {
				return 0, errTooMany
			}
			continue
		}
		if err := flush(); err != nil {
			return 0, err
		}
		pending = &next
	}
	if err := rows.Err(); err != nil {
		return 0, r.fault(ctx, err)
	}
	if ctx.Err() != nil {
		return 0, r.fault(ctx, ctx.Err())
	}
	if err := flush(); err != nil {
		return 0, err
	}
	return count, nil
}

// listing is a record as a lookup makes it. One that a lookup would fail on is passed on as damaged.
func (r *reader) listing(f row, wanted posture.FactSet) posture.Listing {
	if _, err := posture.ParseIdentifier(f.id); err != nil {
		return posture.Listing{Damaged: true} // no lookup can ask for it
	}
	d, err := r.device(f, wanted)
	if err != nil {
		return posture.Listing{Device: posture.Device{Identifier: f.id}, Damaged: true}
	}
	return posture.Listing{Device: d}
}

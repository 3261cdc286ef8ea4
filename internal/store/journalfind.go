package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/journal"
)

// scanID reads the only column of a row.
func scanID(row scanner) (id journal.ID, err error) {
	var bytes []byte
	if err := row.Scan(&bytes); err != nil {
		return id, err
	}
	return idOf(bytes)
}

func idOf(bytes []byte) (id journal.ID, err error) {
	if copy(id[:], bytes) != len(id) || len(bytes) != len(id) {
		return id, errors.New("an entry has an ID of the wrong length")
	}
	return id, nil
}

func scanFound(row scanner) (f journal.Found, err error) {
	var id []byte
	if err := row.Scan(&id, &f.Line, &f.Rules); err != nil {
		return f, err
	}
	f.ID, err = idOf(id)
	return f, err
}

// Get implements journal.Store.
func (j *Journal) Get(ctx context.Context, id journal.ID) (found journal.Found, ok bool, err error) {
	err = j.db.read(ctx, func(ctx context.Context, q querier) (err error) {
		found, err = scanFound(q.QueryRowContext(ctx, "SELECT id, line, rules FROM journal WHERE id = $1", id[:]))
		ok = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return err
	})
	return found, ok, err
}

// Find implements journal.Store. It returns fewer than were asked for, and that there are others, where the lines are very long.
func (j *Journal) Find(ctx context.Context, f journal.Filter) (found []journal.Found, more bool, err error) {
	f.Limit = min(f.Limit, journal.MaxFound)
	if f.Limit <= 0 || !isStorable(f) {
		return nil, false, nil
	}
	err = j.db.read(ctx, func(ctx context.Context, q querier) error {
		found, more, err = findEntries(ctx, q, j.db.dialect, f)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return found, more, nil
}

// isStorable: no entry has other texts than these, and PostgreSQL does not take them.
func isStorable(f journal.Filter) bool {
	return f.Key == short(f.Key, maxIdentifier) && f.Reference == name(f.Reference) && f.Policy == name(f.Policy) && f.Code == name(f.Code)
}

func findEntries(ctx context.Context, q querier, d dialect, f journal.Filter) (found []journal.Found, more bool, err error) {
	statement, arguments := d.search(f)
	rows, err := q.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	size := 0
	for rows.Next() {
		entry, err := scanFound(rows)
		if err != nil {
			return nil, false, err
		}
		if size += len(entry.Line) + len(entry.Rules); len(found) == f.Limit || len(found) > 0 && size > maxFoundBytes {
			return found, true, nil
		}
		found = append(found, entry)
	}
	return found, false, rows.Err()
}

// path is an index by which entries are found in their order: those with these values in the columns, which are followed by id.
type path struct {
	columns []string
	values  []string
	only    string // the condition of a partial index, as the index has it
}

// pathOf is the index for a filter. Only refusals and faults have a code there. Of the filters that pages use, none reads an entry that it does not return; but a search for
// the code or the policy of one device reads the refusals or the entries of that device.
func pathOf(f journal.Filter) path {
	switch {
	case f.Reference != "":
		return path{[]string{"reference"}, []string{f.Reference}, ""}
	case f.Key != "" && (f.Denied || f.Code != ""):
		return path{[]string{"identifier_key"}, []string{f.Key}, "identifier_key <> '' AND refused = 1"}
	case f.Key != "":
		return path{[]string{"identifier_key"}, []string{f.Key}, "identifier_key <> ''"}
	case f.Policy != "" && f.Code != "":
		return path{[]string{"code", "policy"}, []string{f.Code, f.Policy}, "code <> '' AND policy <> ''"}
	case f.Policy != "" && f.Denied:
		return path{[]string{"policy"}, []string{f.Policy}, "policy <> '' AND refused = 1"}
	case f.Policy != "":
		return path{[]string{"policy"}, []string{f.Policy}, "policy <> ''"}
	case f.Code != "":
		return path{[]string{"code"}, []string{f.Code}, "code <> ''"}
	case f.Denied:
		return path{nil, nil, "refused = 1"}
	}
	return path{}
}

// search is the statement for a filter.
func (d dialect) search(f journal.Filter) (statement string, arguments []any) {
	p := pathOf(f)
	last, first := []byte(strings.Repeat("\xff", len(f.Before)+1)), []byte{} // after every ID, and before
	if f.Before != (journal.ID{}) {
		last = f.Before[:]
	}
	if !f.Since.IsZero() {
		since := journal.FirstID(f.Since)
		first = since[:]
	}
	q := searching{arguments: []any{last, first}}
	conditions, order := q.among(p, d.among), strings.Join(append(slices.Clone(p.columns), "id"), " DESC, ")
	if residual := q.residual(f, p); len(residual) > 0 || f.Reference != "" {
		conditions, order = append(amongFew(p), residual...), "substr(id, 1)"
	}
	if p.only != "" {
		conditions = append(conditions, p.only)
	}
	return "SELECT id, line, rules FROM journal WHERE " + strings.Join(conditions, " AND ") + " ORDER BY " + order + " DESC LIMIT " + strconv.Itoa(f.Limit+1), q.arguments
}

// searching collects the arguments of a search. The first two are the bounds of the IDs.
type searching struct{ arguments []any }

func (s *searching) place(value any) string {
	s.arguments = append(s.arguments, value)
	return "$" + strconv.Itoa(len(s.arguments))
}

// among are the conditions that find entries in the order of an index.
func (s *searching) among(p path, conditions func(columns, places []string) []string) []string {
	var places []string
	for _, value := range p.values {
		places = append(places, s.place(value))
	}
	return conditions(p.columns, places)
}

// amongRows compares rows, such as (policy, id).
func amongRows(columns, places []string) []string {
	row, fixed := strings.Join(append(slices.Clone(columns), "id"), ", "), strings.Join(append(slices.Clone(places), ""), ", ")
	return []string{fmt.Sprintf("(%s) < (%s$1)", row, fixed), fmt.Sprintf("(%s) >= (%s$2)", row, fixed)}
}

// amongArrays compares with an array of one. From policy = $3 PostgreSQL would conclude that the order by id is enough, and could read
// the whole journal from its end to find a policy that was frequent once. Of rows that it compares it reads all of the first column.
func amongArrays(columns, places []string) []string {
	conditions := []string{"id < $1", "id >= $2"}
	for i, column := range columns {
		if i == 0 {
			conditions = append(conditions, column+" = ANY(ARRAY["+places[i]+"])")
		} else {
			conditions = append(conditions, column+" = "+places[i])
		}
	}
	return conditions
}

// amongFew are the conditions for a path that few entries have, those of one device or reference, which are all read and then sorted:
// by an expression, since for the order by id a database could read the whole journal. The places are those of among, from $3 on.
func amongFew(p path) []string {
	conditions := []string{"id < $1", "id >= $2"}
	for i, column := range p.columns {
		conditions = append(conditions, fmt.Sprintf("%s = $%d", column, i+3))
	}
	return conditions
}

// residual are the conditions that the path leaves over. They are expressions, which are in no index: otherwise a database may read
// all of another index too, for the sake of both conditions.
func (s *searching) residual(f journal.Filter, p path) (conditions []string) {
	for _, c := range []struct{ column, value string }{{"identifier_key", f.Key}, {"policy", f.Policy}, {"code", f.Code}} {
		if c.value != "" && !slices.Contains(p.columns, c.column) {
			conditions = append(conditions, c.column+" || '' = "+s.place(c.value))
		}
	}
	if f.Denied && f.Reference != "" { // all other paths have it
		conditions = append(conditions, "refused + 0 = 1")
	}
	return conditions
}

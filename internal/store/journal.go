package store

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"step-posture-connector/internal/journal"
)

// Journal is the journal in the state database. It implements journal.Store.
type Journal struct{ db *DB }

// Journal is the journal in this database.
func (d *DB) Journal() *Journal { return &Journal{d} }

var _ journal.Store = (*Journal)(nil)

const (
	journalColumns = "id, reference, identifier_key, policy, code, refused, evaluated, line, rules"
	allow          = "allow"
)

// Append implements journal.Store. Of a batch that was added before, whose commit was not answered, nothing is inserted, and only
// what is inserted is counted. What could not be stored for ever, such as a NUL byte in PostgreSQL, is cleaned before: one line must
// not stop the journal.
func (j *Journal) Append(ctx context.Context, batch []journal.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	entries := make([]journal.Entry, len(batch))
	for i := range batch {
		entries[i] = storable(batch[i])
	}
	return j.db.transaction(ctx, func(ctx context.Context, q querier) error {
		var added []journal.Entry
		for begin := 0; begin < len(entries); begin += maxInserted {
			some, err := j.db.insertEntries(ctx, q, entries[begin:min(begin+maxInserted, len(entries))])
			if err != nil {
				return err
			}
			added = append(added, some...)
		}
		if len(added) == 0 {
			return nil
		}
		if err := j.db.updateAffected(ctx, q, added); err != nil {
			return err
		}
		// Last: other replicas wait for the rows of this hour.
		return j.db.addCounts(ctx, q, countsOf(added))
	})
}

// insertEntries inserts those that are new, and returns them.
func (d *DB) insertEntries(ctx context.Context, q querier, entries []journal.Entry) (added []journal.Entry, err error) {
	var arguments []any
	for _, e := range entries {
		arguments = append(arguments, e.ID[:], e.Reference, e.Key, e.Policy, e.Code, number(isRefused(e)), number(isEvaluated(e)), string(e.Line), string(e.Rules))
	}
	statement := "INSERT INTO journal (" + journalColumns + ") " + d.dialect.values(len(entries), len(arguments)) + " ON CONFLICT (id) DO NOTHING RETURNING id"
	inserted := map[journal.ID]bool{}
	err = eachRow(ctx, q, statement, arguments, func(row scanner) error {
		id, err := scanID(row)
		inserted[id] = true
		return err
	})
	for _, e := range entries {
		if inserted[e.ID] {
			inserted[e.ID] = false // a second one of the same ID
			added = append(added, e)
		}
	}
	return added, err
}

// isRefused: fail closed, what is not allow is a refusal or a fault.
func isRefused(e journal.Entry) bool { return e.Decision != "" && e.Decision != allow }

func isEvaluated(e journal.Entry) bool { return e.Decision != "" && e.Evaluated }

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// values is VALUES with the places of so many arguments, in so many rows.
func (d dialect) values(rows, arguments int) string {
	width := arguments / rows
	var lists []string
	for i := range rows {
		lists = append(lists, d.list(i*width+1, width))
	}
	return "VALUES (" + strings.Join(lists, "), (") + ")"
}

// list has the places of so many arguments, from the first one on.
func (d dialect) list(first, count int) string {
	var text strings.Builder
	for i := range count {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(d.place(first + i))
	}
	return text.String()
}

// eachRow hands every row to scan. All are read, since a statement of SQLite is complete only then.
func eachRow(ctx context.Context, q querier, statement string, arguments []any, scan func(scanner) error) error {
	rows, err := q.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// storable is an entry that both databases take.
func storable(e journal.Entry) journal.Entry {
	e.Reference, e.Policy, e.Code, e.Event = name(e.Reference), name(e.Policy), name(e.Code), name(e.Event)
	e.Identifier = short(e.Identifier, maxIdentifier)
	if len(e.Key) > maxIdentifier || e.Key != text(e.Key) {
		e.Key = "" // cut or cleaned it could be that of another device
	}
	if !isRefused(e) {
		e.Code = "" // also of a notification: who searches for a code searches for refusals
	}
	e.Unmet, e.WouldDeny = names(e.Unmet), names(e.WouldDeny)
	if len(e.Line) > maxLine {
		e.Line = withoutDetails(e)
	}
	if len(e.Rules) > maxLine {
		e.Rules = nil
	}
	e.Line, e.Rules = clean(e.Line), clean(e.Rules)
	return e
}

// withoutDetails is a line for an entry whose own is too long.
func withoutDetails(e journal.Entry) []byte {
	line, err := json.Marshal(struct {
		Time       time.Time `json:"time"`
		Reference  string    `json:"reference"`
		Decision   string    `json:"decision,omitempty"`
		Event      string    `json:"event,omitempty"`
		Code       string    `json:"code,omitempty"`
		Reason     string    `json:"reason"`
		Identifier string    `json:"identifier,omitempty"`
		Policy     string    `json:"policy,omitempty"`
		Door       string    `json:"door,omitempty"`
	}{e.ID.Time(), e.Reference, e.Decision, e.Event, e.Code, "the line is too long for the journal; the audit log has it", e.Identifier, e.Policy, short(e.Door, maxName)})
	if err != nil {
		return []byte("{}") // a time that no calendar has
	}
	return line
}

func names(all []string) []string {
	if len(all) == 0 {
		return nil
	}
	cleaned := make([]string, min(len(all), maxRules))
	for i := range cleaned {
		cleaned[i] = name(all[i])
	}
	return cleaned
}

// name is a text that indexes take.
func name(s string) string { return short(s, maxName) }

// short is the beginning of a text that may be as long as anything.
func short(s string, limit int) string { return text(s[:min(len(s), limit)]) }

// text is what both databases take as a text: UTF-8 without NUL.
func text(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "?")
	}
	return strings.ReplaceAll(s, "\x00", "?")
}

func clean(s []byte) []byte {
	if utf8.Valid(s) && bytes.IndexByte(s, 0) < 0 {
		return s // as nearly all are
	}
	return []byte(text(string(s)))
}

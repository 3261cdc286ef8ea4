package sqlquery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

var (
	errNoText  = errors.New("a row has no identifier")
	errTooMany = fmt.Errorf("the query returned more than %d rows for one identifier", maxRows)
	errTooLong = fmt.Errorf("the query returned more than %d bytes for one identifier", maxAnswer)
)

// row is one row of an answer, or several that are alike but for the groups.
type row struct {
	id     string
	values []any
	groups []any // of all rows
	key    string
}

// scan reads the row at which rows is. Its key is the same for rows that are alike but for the groups.
func (r *reader) scan(ctx context.Context, rows *sql.Rows) (row, error) {
	values, targets := make([]any, len(r.columns)), make([]any, len(r.columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return row{}, r.fault(ctx, err)
	}
	found := row{values: values}
	var err error
	if found.id, err = trimmed(values[r.identifier]); err != nil {
		return row{}, r.columns[r.identifier].wrong(err)
	}
	var key strings.Builder
	for i, value := range values {
		if i == r.groups {
			found.groups = []any{value}
			continue
		}
		if value == nil {
			key.WriteByte('-')
			continue
		}
		text := ""
		switch v := value.(type) {
		case []byte:
			text = string(v)
		case string:
			text = v
		default:
			if text, err = textOf(value); err != nil {
				return row{}, r.columns[i].wrong(err)
			}
		}
		key.WriteString(strconv.Itoa(len(text)))
		key.WriteByte(':')
		key.WriteString(text)
	}
	found.key = key.String()
	return found, nil
}

// one is the record of the device among the rows of an answer.
func (r *reader) one(ctx context.Context, rows *sql.Rows, q posture.Query) (posture.Device, error) {
	var found []*row
	byKey := map[string]*row{}
	for count, size := 1, 0; rows.Next(); count++ {
		if count > maxRows {
			return posture.Device{}, errTooMany
		}
		next, err := r.scan(ctx, rows)
		if err != nil {
			return posture.Device{}, err
		}
		if size += len(next.key); size > maxAnswer {
			return posture.Device{}, errTooLong
		}
		switch same := byKey[next.key]; {
		case next.id == "":
			// Fail closed: the row may be about the device.
			return posture.Device{}, errNoText
		case !q.Identifier.Matches(posture.Device{Identifier: next.id}):
			// Collations, padding and comparison as numbers find other devices.
		case same != nil:
			same.groups = append(same.groups, next.groups...)
		default:
			byKey[next.key] = &next
			found = append(found, &next)
		}
	}
	// What was read of an answer that did not end well is not the answer.
	if err := rows.Err(); err != nil {
		return posture.Device{}, r.fault(ctx, err)
	}
	if ctx.Err() != nil {
		return posture.Device{}, r.fault(ctx, ctx.Err())
	}
	chosen, err := r.newest(found, q.Type)
	if err != nil {
		return posture.Device{}, err
	}
	return r.device(*chosen, q.Facts)
}

// newest is the record of the right type that was seen last. Two that were seen at the same time, or of which neither has a
// time, are ambiguous.
func (r *reader) newest(found []*row, asked posture.DeviceType) (*row, error) {
	var fitting []*row
	for _, f := range found {
		of, err := r.typeOf(f.values)
		if err != nil {
			return nil, r.columns[r.typ].wrong(err)
		}
		if of == "" || asked == "" || asked == posture.AnyDevice || of == asked {
			fitting = append(fitting, f)
		}
	}
	switch len(fitting) {
	case 0:
		return nil, posture.ErrNotFound
	case 1:
		return fitting[0], nil
	}
	var best *row
	var latest time.Time
	tied := true
	for _, f := range fitting {
		if r.lastSeen < 0 {
			break
		}
		seen, err := timeOf(f.values[r.lastSeen], r.now())
		if err != nil {
			return nil, r.columns[r.lastSeen].wrong(err)
		}
		at, known := seen.Get()
		switch {
		case !known:
		case best == nil || at.After(latest):
			best, latest, tied = f, at, false
		case at.Equal(latest):
			tied = true
		}
	}
	if tied {
		return nil, posture.ErrAmbiguous
	}
	return best, nil
}

// typeOf is the type of the device of a row, where it is known.
func (r *reader) typeOf(values []any) (posture.DeviceType, error) {
	if r.typ < 0 {
		return "", nil
	}
	text, err := trimmed(values[r.typ])
	word, _ := posture.Word(text, posture.DeviceTypes()).Get()
	return posture.DeviceType(word), err
}

// device makes a record of a row. It reads the facts that are wanted: what nobody reads harms nobody.
func (r *reader) device(f row, wanted posture.FactSet) (posture.Device, error) {
	var d posture.Device
	wanted |= r.names.always
	attributes := map[string]string{}
	for i, c := range r.columns {
		var err error
		switch {
		case c.fact == nil && wanted.Has(r.names.attributes):
			var text string
			if text, err = r.arrays.attributeOf(f.values[i], c.typ); err == nil && text != "" {
				attributes[c.name] = text
			}
		case c.fact == nil || !wanted.Has(c.fact.Set()):
		case i == r.typ:
			d.Type, err = r.typeOf(f.values)
		case i == r.groups:
			err = r.putGroups(&d, f, c)
		default:
			err = r.put(&d, c, f.values[i])
		}
		if err != nil {
			return posture.Device{}, c.wrong(err)
		}
	}
	if len(attributes) > 0 {
		d.Facts.Attributes = posture.Known(attributes)
	}
	d.Identifier = f.id
	return d, nil
}

// putGroups joins the groups of rows that are alike.
func (r *reader) putGroups(d *posture.Device, f row, c column) error {
	all, some := []string{}, false
	for _, value := range f.groups {
		names, known, err := r.arrays.groupsOf(value, c.typ)
		if err != nil {
			return err
		}
		some = some || known
		for _, name := range names {
			all = appendName(all, &name)
		}
	}
	if some {
		d.Facts.Groups = posture.Known(all)
	}
	return nil
}

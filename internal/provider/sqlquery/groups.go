package sqlquery

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5/pgtype"
)

var (
	errArray  = errors.New("it is no array that can be read")
	errGroups = errors.New("it begins with [ and is no JSON array of texts")
)

// arrays reads arrays of PostgreSQL. It is not safe for concurrent use.
type arrays struct{ types *pgtype.Map }

// elements are those of an array of any type, as text; NULL is nil.
func (a *arrays) elements(value any) ([]*string, error) {
	text, err := textOf(value)
	if err != nil {
		return nil, err
	}
	if a.types == nil {
		a.types = pgtype.NewMap()
	}
	var list []*string
	if err := a.types.Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, []byte(text), &list); err != nil {
		return nil, errArray
	}
	return list, nil
}

// asJSON writes an array as compact JSON.
func (a *arrays) asJSON(value any) (string, error) {
	list, err := a.elements(value)
	if err != nil {
		return "", err
	}
	out, err := json.Marshal(list)
	if err != nil {
		return "", errArray
	}
	return string(out), nil
}

// groupsOf reads the groups of a device: an array, the text of a JSON array, or names with commas between them. known is false
// for NULL and empty text: only an empty array says that there are none. NULL in an array is left out, because aggregates
// over an outer join write [null] for no rows.
func (a *arrays) groupsOf(value any, typ string) (names []string, known bool, err error) {
	if value == nil {
		return nil, false, nil
	}
	names = []string{}
	if isArray(typ) {
		list, err := a.elements(value)
		for _, name := range list {
			names = appendName(names, name)
		}
		return names, err == nil, err
	}
	text, err := textOf(value)
	switch {
	case err != nil || text == "":
		return nil, false, err
	case strings.HasPrefix(text, "[") || typ == "JSON" || typ == "JSONB":
		var list []*string
		if jsontext.Value(text).Kind() != '[' || json.Unmarshal([]byte(text), &list) != nil {
			// Fail closed: as one name, half of a list that was cut off would be a group.
			return nil, false, errGroups
		}
		for _, name := range list {
			names = appendName(names, name)
		}
		return names, true, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.Trim(name, " ")
		names = appendName(names, &name)
	}
	return names, len(names) > 0, nil
}

// appendName adds a name, once.
func appendName(names []string, name *string) []string {
	if name == nil || *name == "" || slices.Contains(names, *name) {
		return names
	}
	return append(names, *name)
}

package sqlquery

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// What a value is not, without the value.
var (
	errText = errors.New("it is not text in UTF-8")
	errFlag = errors.New("it is no flag; accepted: true or false, t or f, yes or no, Y or N, 1 or 0")
	errTime = errors.New("it is no time; accepted: a time of the database, RFC 3339, YYYY-MM-DD HH:MM:SS, seconds or milliseconds since 1970")
	errJSON = errors.New("it is no valid JSON")
)

// textOf is a value as text; NULL is empty. Numbers keep their digits.
func textOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return checked(v)
	case []byte:
		return checked(string(v))
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case float32:
		return strconv.FormatFloat(float64(v), 'f', -1, 32), nil
	case bool:
		return strconv.FormatBool(v), nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	}
	return "", errText
}

func checked(text string) (string, error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", errText
	}
	return text, nil
}

// trimmed is text without the blanks that fill up a CHAR.
func trimmed(value any) (string, error) {
	text, err := textOf(value)
	return strings.Trim(text, " "), err
}

// flagOf reads a flag. NULL and empty text are unknown. Fail closed: another word is a fault, and not unknown.
func flagOf(value any, typ string) (posture.Fact[bool], error) {
	if bits, is := value.([]byte); is && typ == "BIT" && len(bits) == 1 && bits[0] <= 1 {
		return posture.Known(bits[0] == 1), nil // MySQL's BIT(1)
	}
	text, err := trimmed(value)
	if err != nil {
		return posture.Fact[bool]{}, err
	}
	switch strings.ToLower(text) {
	case "":
		return posture.Fact[bool]{}, nil
	case "true", "t", "yes", "y", "1":
		return posture.Known(true), nil
	case "false", "f", "no", "n", "0":
		return posture.Known(false), nil
	}
	return posture.Fact[bool]{}, errFlag
}

// layouts are those of times in text. One without a zone is UTC. time.Parse accepts fractions of seconds in each.
func layouts() []string {
	return []string{
		time.RFC3339, "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05", "2006-01-02T15:04",
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05-0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05-07",
		"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
	}
}

// firstMilliseconds is the number from which on a time is in milliseconds: as seconds it would be in the year 5138.
const firstMilliseconds = 100_000_000_000

// timeOf reads a time. NULL, empty text, the zero dates of MySQL and the infinite ones of PostgreSQL are unknown.
func timeOf(value any, now time.Time) (posture.Fact[time.Time], error) {
	var at time.Time
	unknown := posture.Fact[time.Time]{}
	switch v := value.(type) {
	case time.Time:
		at = v
	case int64:
		at = unix(v)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return unknown, errTime
		}
		at = unix(int64(v))
	default:
		text, err := trimmed(value)
		if err != nil {
			return unknown, err
		}
		switch {
		case text == "", strings.HasPrefix(text, "0000-00-00"), text == "infinity", text == "-infinity":
			return unknown, nil
		}
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			at = unix(number)
		} else if at, err = parseTime(text); err != nil {
			return unknown, err
		}
	}
	return posture.Moment(at.UTC(), now), nil
}

func unix(number int64) time.Time {
	if number >= firstMilliseconds {
		return time.UnixMilli(number)
	}
	return time.Unix(number, 0)
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range layouts() {
		at, err := time.Parse(layout, text)
		if zone, _ := at.Zone(); err == nil && (!strings.HasSuffix(layout, "MST") || zone == "UTC") { // the offset of another name is not known
			return at, nil
		}
	}
	return time.Time{}, errTime
}

// attributeOf is a value as attributes have it: numbers and booleans as JSON writes them, lists and objects as compact JSON.
func (a *arrays) attributeOf(value any, typ string) (string, error) {
	if isArray(typ) && value != nil {
		return a.asJSON(value)
	}
	text, err := textOf(value)
	if err != nil || text == "" || typ != "JSON" && typ != "JSONB" {
		return text, err
	}
	compact := jsontext.Value(text)
	if err := compact.Compact(); err != nil {
		return "", errJSON
	}
	if compact.Kind() == '"' {
		return unquoted(compact)
	}
	if compact.Kind() == 'n' {
		return "", nil
	}
	return string(compact), nil
}

func unquoted(value jsontext.Value) (string, error) {
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return "", errJSON
	}
	return string(text), nil
}

// put reads the value of a fact that is no list into d.
func (r *reader) put(d *posture.Device, c column, value any) error {
	switch c.fact.Type {
	case posture.BoolFact:
		flag, err := flagOf(value, c.typ)
		if is, known := flag.Get(); known {
			c.fact.Put(d, is)
		}
		return err
	case posture.TimeFact:
		at, err := timeOf(value, r.now())
		if t, known := at.Get(); known {
			c.fact.Put(d, t.Truncate(time.Second))
		}
		return err
	case posture.VersionFact:
		text, err := trimmed(value)
		if version, wrong := posture.ParseVersion(text); wrong == nil && err == nil {
			c.fact.Put(d, version) // anything else is unknown
		}
		return err
	default:
		text, err := trimmed(value)
		if err == nil && text != "" {
			c.fact.Put(d, text)
		}
		return err
	}
}

// wrong says which column has a value that cannot be read. It does not show the value.
func (c column) wrong(err error) error { return fmt.Errorf("the column %s: %w", c.text(), err) }

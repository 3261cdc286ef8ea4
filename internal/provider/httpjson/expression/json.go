package expression

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"github.com/go-json-experiment/json/jsontext"
)

// The errors of Decode. None repeats what a server sent.
var (
	errNotJSON = errors.New("it is not valid JSON")
	errDeep    = fmt.Errorf("it has more than %d levels", maxDepth)
	errBehind  = errors.New("something is behind the JSON")
)

// Decode reads one JSON value as expressions see it: objects are map[string]any, lists []any, whole numbers int64 or uint64,
// other numbers float64. Whole numbers keep their digits; a number that cannot be kept is an error for the expression that
// reads it, and for no other one. Duplicate members, text that is not UTF-8, trailing data and deep nesting are errors:
// other readers may read such an answer in another way, so nothing in it is believed (RFC 8259 section 4).
func Decode(text []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	value, err := decode(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errBehind
	}
	return value, nil
}

func decode(d *jsontext.Decoder) (any, error) {
	token, err := d.ReadToken()
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return nil, errors.New("it has a duplicate member")
	case err != nil:
		return nil, errNotJSON
	case d.StackDepth() > maxDepth:
		return nil, errDeep
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		return number(token.String()), nil
	case '[':
		list := []any{}
		for d.PeekKind() != ']' {
			element, err := decode(d)
			if err != nil {
				return nil, err
			}
			list = append(list, element)
		}
		return list, end(d)
	case '{':
		object := map[string]any{}
		for d.PeekKind() != '}' {
			name, err := decode(d)
			if err != nil {
				return nil, err
			}
			key, isText := name.(string)
			if !isText {
				return nil, errNotJSON
			}
			if object[key], err = decode(d); err != nil {
				return nil, err
			}
		}
		return object, end(d)
	default:
		return nil, errNotJSON
	}
}

// end reads the bracket that closes a list or an object.
func end(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return errNotJSON
	}
	return nil
}

// number is a number of JSON. CEL's own reader makes a float64 of each, which changes the digits of long identifiers.
func number(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	const exact = 1 << 53
	if isWhole := !strings.ContainsAny(text, ".eE"); err != nil || math.IsInf(f, 0) || isWhole && math.Abs(f) > exact {
		return types.NewErr("a number is too long to be kept exactly")
	}
	return f
}

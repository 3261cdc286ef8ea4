package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"step-posture-connector/internal/posture"
)

// Datum is one member of the data that goes to step-ca for the certificate.
type Datum struct {
	Name  string
	Value *Value
	// Required makes a value that cannot be evaluated a refusal. Otherwise it becomes "".
	Required bool
}

// Value is a compiled expression of any JSON value.
type Value struct {
	program cel.Program
	reads   []Read
	t       *types.Type
}

// CompileValue compiles the text of a data expression. Every fault has its place in text.
func (s *Scope) CompileValue(text string) (*Value, Faults) {
	checked, faults := s.check(text, nil)
	if faults != nil {
		return nil, faults
	}
	program, err := s.program(checked.tree)
	if err != nil {
		return nil, Faults{{Line: 1, Column: 1, Text: err.Error()}}
	}
	return &Value{program: program, reads: checked.reads, t: checked.tree.OutputType()}, nil
}

// MaxData is how many bytes of data go to step-ca at most.
const MaxData = 16 << 10

// ErrData means that the data cannot be made, so that the device is refused.
var ErrData = errors.New("the data for the certificate cannot be made")

// render makes the data. The names are those of values that could not be evaluated, which are "" in the data: the log
// has them. The error wraps ErrData.
func render(data []Datum, q *posture.Evidence) (document json.RawMessage, unknown []string, err error) {
	members := make([]member, len(data))
	vars, frame := variables(q)
	if frame != nil {
		defer frame.Close()
	}
	for i, d := range data {
		value, evalErr := d.Value.evaluate(vars)
		if evalErr != nil {
			if d.Required {
				return nil, nil, fmt.Errorf("%w: %s is required: %s", ErrData, d.Name, d.Value.why(q, evalErr))
			}
			unknown = append(unknown, d.Name)
			value = ""
		}
		members[i] = member{d.Name, value}
	}
	if document, err = appendObject(make([]byte, 0, usualData), members); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	if len(document) > MaxData {
		return nil, nil, fmt.Errorf("%w: it has %d bytes, more than %d", ErrData, len(document), MaxData)
	}
	return document, unknown, nil
}

// usualData is how many bytes of data have room without more memory.
const usualData = 256

// member is a member of a JSON object.
type member struct {
	name  string
	value any
}

// appendObject writes an object as encoding/json does, by name. Plain text, as most data is, is written here: the library
// takes ten times as long for it.
func appendObject(to []byte, members []member) ([]byte, error) {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	sign := byte('{')
	for _, m := range members {
		var err error
		if to, err = appendValue(append(to, sign), m.name); err != nil {
			return nil, err
		}
		if to, err = appendValue(append(to, ':'), m.value); err != nil {
			return nil, err
		}
		sign = ','
	}
	if len(members) == 0 {
		to = append(to, sign)
	}
	return append(to, '}'), nil
}

func appendValue(to []byte, value any) ([]byte, error) {
	if text, ok := value.(string); ok && isPlain(text) {
		return append(append(append(to, '"'), text...), '"'), nil
	}
	encoded, err := json.Marshal(value)
	return append(to, encoded...), err
}

// isPlain reports whether JSON has a text as it is: without a character that is escaped.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// Facts are the facts of the vocabulary that the value reads.
func (v *Value) Facts() posture.FactSet { return factsOf(v.reads) }

// why says which facts are unknown, or else what the error is.
func (v *Value) why(e *posture.Evidence, err error) string {
	var unknown []string
	for _, f := range factsRead(v.reads, e) {
		if !f.Known {
			unknown = append(unknown, f.Text)
		}
	}
	if len(unknown) == 0 {
		return clean(err)
	}
	return strings.Join(unknown, ", ")
}

// evaluate returns the value. vars are those of variables.
func (v *Value) evaluate(vars any) (any, error) {
	result, _, err := v.program.Eval(vars)
	if err != nil {
		var unknown *unknownError
		if errors.As(err, &unknown) {
			return nil, unknown
		}
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	return toJSON(result)
}

// toJSON makes of a value of CEL one that encoding/json writes.
func toJSON(value ref.Val) (any, error) {
	switch v := value.(type) {
	case version:
		return v.String(), nil
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339), nil
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, errors.New("JSON has no such number")
		}
		return float64(v), nil
	case types.String, types.Bool, types.Int, types.Uint:
		return v.Value(), nil
	case types.Null:
		return nil, nil //nolint:nilnil // null is a value of JSON
	case traits.Mapper:
		members := map[string]any{}
		for keys := v.Iterator(); keys.HasNext() == types.True; {
			key := keys.Next()
			name, ok := key.Value().(string)
			if !ok {
				return nil, errors.New("a key is no text")
			}
			member, err := toJSON(v.Get(key))
			if err != nil {
				return nil, err
			}
			members[name] = member
		}
		return members, nil
	case traits.Lister:
		elements := []any{}
		for all := v.Iterator(); all.HasNext() == types.True; {
			element, err := toJSON(all.Next())
			if err != nil {
				return nil, err
			}
			elements = append(elements, element)
		}
		return elements, nil
	default:
		return nil, fmt.Errorf("a value of the type %s is none of JSON", value.Type().TypeName())
	}
}

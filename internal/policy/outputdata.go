package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"step-posture-connector/internal/posture"
)

const (
	dataVariable = "data"
	dataPath     = dataVariable + "."
)

// withData is evidence with the data of a policy.
type withData struct {
	evidence

	values *dataOf
}

// ResolveName implements interpreter.Activation.
func (w withData) ResolveName(name string) (any, bool) {
	if name == dataVariable {
		return w.values, true
	}
	return w.evidence.ResolveName(name)
}

// dataOf evaluates data for one output: each once, because an expression may read one many times, and in a loop.
type dataOf struct {
	evidence *posture.Evidence
	data     []Datum
	values   map[int]dataValue
}

type dataValue struct {
	value ref.Val
	err   error
}

// at is the value of a datum's own expression. What the rendered data has in place of an unknown value, "", would be one here.
func (d *dataOf) at(i int) (ref.Val, error) {
	if known, ok := d.values[i]; ok {
		return known.value, known.err
	}
	value, err := d.evaluate(d.data[i])
	if d.values == nil {
		d.values = map[int]dataValue{}
	}
	d.values[i] = dataValue{value, err}
	return value, err
}

func (d *dataOf) evaluate(of Datum) (ref.Val, error) {
	if of.Value == nil {
		return nil, &unknownError{dataPath + of.Name}
	}
	value, _, err := of.Value.program.Eval(evidence{d.evidence})
	if err != nil {
		return nil, &unknownError{dataPath + of.Name}
	}
	// The cost of what reads it was estimated with this size, and more data would be refused as well.
	if !isSmall(value) {
		return nil, fmt.Errorf("%s%s has more than %d bytes", dataPath, of.Name, MaxData)
	}
	return value, nil
}

// isSmall reports whether a value is as small as data must be.
func isSmall(value ref.Val) bool {
	switch v := value.(type) {
	case types.String:
		return len(v) <= MaxData
	case types.Bool, types.Int, types.Uint, types.Double, types.Timestamp, types.Null, version:
		return true
	}
	of, err := toJSON(value)
	if err != nil {
		return false
	}
	text, err := json.Marshal(of)
	return err == nil && len(text) <= MaxData
}

// withReference is the scope with the variable reference, for data.
func (s *Scope) withReference() (*Scope, error) {
	extended := *s
	extended.variables = maps.Clone(s.variables)
	extended.variables[referenceVariable] = types.StringType
	var err error
	extended.env, err = s.env.Extend(cel.Variable(referenceVariable, types.StringType))
	return &extended, err
}

// withData is the scope with the variable data, whose members have the types of their expressions.
func (s *Scope) withData(policy string, data []Datum) (*Scope, error) {
	members := object{}
	for i, d := range data {
		t := types.DynType
		if d.Value != nil { // one with a fault was reported
			t = d.Value.t
		}
		get := func(target any) (ref.Val, error) {
			of, ok := target.(*dataOf)
			if !ok {
				return nil, errors.New("not known")
			}
			return of.at(i)
		}
		members[d.Name] = field{cel: &types.FieldType{
			Type:    t,
			IsSet:   func(target any) bool { _, err := get(target); return err == nil },
			GetFrom: func(target any) (any, error) { return get(target) },
		}}
	}
	extended := *s
	extended.fields.objects = maps.Clone(s.fields.objects)
	extended.fields.objects[dataTypeName] = members
	extended.variables = maps.Clone(s.variables)
	extended.variables[dataVariable] = types.NewObjectType(dataTypeName)
	extended.policy = policy
	var err error
	extended.env, err = s.env.Extend(cel.CustomTypeProvider(extended.fields), cel.Variable(dataVariable, types.NewObjectType(dataTypeName)))
	return &extended, err
}

// orNoData says which members data has.
func orNoData(policy string, names []string) string {
	if len(names) == 0 {
		return fmt.Sprintf("a member of the section data of the policy %s, which has none", policy)
	}
	return fmt.Sprintf("a member of the section data of the policy %s: %s", policy, strings.Join(names, ", "))
}

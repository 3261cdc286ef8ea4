package httpjson

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
)

// mapped is one fact, or one attribute, and the expression that gives it.
type mapped struct {
	name  string // "device.os_version", "attributes.owner"
	fact  *posture.Definition
	value *expression.Expression
	steps []string // whose answers it reads
}

// attribute is the name of an attribute.
func (m mapped) attribute() string { return m.name[len("attributes."):] }

// mapping says what a record of the answer means.
type mapping struct {
	facts      []mapped
	identifier int  // which of facts is the identifier of a record; negative with answer: status
	faulty     bool // a fact has a fault, which was reported
	now        func() time.Time
}

// identifiers are the facts that can be a record's identifier: the first one that is mapped is.
func identifiers() []string {
	return []string{"device.identifier", "device.serial_number", "device.udid"}
}

// gives are the facts that the mapping has.
func (m *mapping) gives() (facts posture.FactSet) {
	for _, f := range m.facts {
		facts |= f.fact.Set()
	}
	if m.identifier >= 0 {
		facts |= posture.MustFacts("device.identifier")
	}
	return facts
}

// ofSteps are the facts that read the answer of a step. Attributes are one fact.
func (m *mapping) ofSteps() (facts posture.FactSet) {
	for _, f := range m.facts {
		if len(f.steps) > 0 {
			facts |= f.fact.Set()
		}
	}
	return facts
}

// always are the facts that are judged without a rule.
func always() posture.FactSet { return posture.MustFacts("device.managed", "device.type") }

// needs are the steps whose answers the facts read.
func (m *mapping) needs(facts posture.FactSet) (steps []string) {
	for _, f := range m.facts {
		if (facts | always()).Has(f.fact.Set()) {
			steps = append(steps, f.steps...)
		}
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}

// identify returns the identifier of a record. It must be text: a number would have been changed by the program that wrote it, and a
// record without one could be that of any device.
func (m *mapping) identify(ctx context.Context, variables map[string]any) (string, error) {
	f := m.facts[m.identifier]
	value, known, err := f.value.Evaluate(ctx, variables)
	text, isText := value.(string)
	switch {
	case err != nil:
		return "", fmt.Errorf("map.%s: %w", f.name, err)
	case !known || isText && strings.Trim(text, " ") == "":
		return "", fmt.Errorf("map.%s: a record has no identifier", f.name)
	case !isText:
		return "", fmt.Errorf("map.%s: the identifier of a record is no text", f.name)
	}
	return text, nil
}

// device makes a device of a record. An error or a wrong type in a fact that is read is a fault: only null and none are
// unknown. One that is only recorded stays unknown. It is the only maker of devices, for lookups and lists.
func (m *mapping) device(ctx context.Context, variables map[string]any, identifier string, facts, recorded posture.FactSet) (posture.Device, error) {
	d := posture.Device{Identifier: identifier}
	attributes := map[string]string{}
	for i, f := range m.facts {
		if !(facts | always()).Has(f.fact.Set()) || f.fact.Name == "device.identifier" {
			continue
		}
		if i == m.identifier {
			f.fact.Put(&d, identifier)
			continue
		}
		if err := m.put(ctx, &d, f, variables, attributes); err != nil && !recorded.Has(f.fact.Set()) {
			return posture.Device{}, fmt.Errorf("map.%s: %w", f.name, err)
		}
	}
	if slices.ContainsFunc(m.facts, func(f mapped) bool {
		return f.fact.Type == posture.AttributesFact && facts.Has(f.fact.Set())
	}) {
		d.Facts.Attributes = posture.Known(attributes)
	}
	return d, nil
}

var errType = errors.New("the value is of another type than the fact")

func (m *mapping) put(ctx context.Context, d *posture.Device, f mapped, variables map[string]any, attributes map[string]string) error {
	value, known, err := f.value.Evaluate(ctx, variables)
	if err != nil || !known {
		return err
	}
	ok := false
	switch f.fact.Type {
	case posture.TextFact:
		var text string
		if text, ok = value.(string); ok && text != "" && (f.fact.Words == nil || slices.Contains(f.fact.Words, text)) {
			f.fact.Put(d, text)
		}
	case posture.BoolFact:
		if _, ok = value.(bool); ok {
			f.fact.Put(d, value)
		}
	case posture.VersionFact:
		var text string
		if text, ok = value.(string); ok {
			if version, err := posture.ParseVersion(text); err == nil {
				f.fact.Put(d, version)
			}
		}
	case posture.TimeFact:
		return m.putTime(d, f, value)
	case posture.ListFact:
		var names []string
		if names, ok = texts(value); ok {
			f.fact.Put(d, names)
		}
	case posture.AttributesFact:
		text, err := attributeText(value)
		if err != nil {
			return err
		}
		if text != "" {
			attributes[f.attribute()] = text
		}
		ok = true
	}
	if !ok {
		return errType
	}
	return nil
}

func (m *mapping) putTime(d *posture.Device, f mapped, value any) error {
	at, isTime := value.(time.Time)
	if text, isText := value.(string); isText {
		if text == "" {
			return nil
		}
		var err error
		if at, err = expression.Time(text); err != nil {
			return err
		}
	} else if !isTime {
		return errType
	}
	if moment, known := posture.Moment(at, m.now()).Get(); known {
		f.fact.Put(d, moment)
	}
	return nil
}

func texts(value any) ([]string, bool) {
	list, isList := value.([]any)
	if !isList {
		return nil, false
	}
	names := make([]string, len(list))
	for i, element := range list {
		if names[i], isList = element.(string); !isList {
			return nil, false
		}
	}
	return names, true
}

// attributeText is a value as text: numbers and booleans as JSON writes them, lists and objects as compact JSON.
func attributeText(value any) (string, error) {
	switch value := value.(type) {
	case string:
		return value, nil
	case int64:
		return strconv.FormatInt(value, 10), nil
	case uint64:
		return strconv.FormatUint(value, 10), nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return "", errType
		}
	case time.Time:
		return value.UTC().Format(time.RFC3339), nil
	}
	if !isPlain(value) {
		return "", errType
	}
	text, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return "", errType
	}
	return string(text), nil
}

// isPlain reports whether a value is one of JSON all through: a number that could not be kept is not.
func isPlain(value any) bool {
	switch value := value.(type) {
	case nil, bool, string, int64, uint64, float64:
		return true
	case []any:
		return !slices.ContainsFunc(value, func(element any) bool { return !isPlain(element) })
	case map[string]any:
		for _, member := range value {
			if !isPlain(member) {
				return false
			}
		}
		return true
	}
	return false
}

// with is variables with one more.
func with(variables map[string]any, name string, value any) map[string]any {
	more := maps.Clone(variables)
	more[name] = value
	return more
}

package document

import (
	"encoding/json"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// Day returns the beginning of a day, in UTC, written as 2027-01-15 with or without quotation marks. ok is false for
// anything else, which is no fault yet.
func (v Value) Day() (day time.Time, ok bool) {
	r := v.resolved()
	if r.node == nil || r.node.Kind != yaml.ScalarNode || isFaulty(r) {
		return time.Time{}, false
	}
	day, err := time.Parse(time.DateOnly, r.node.Value)
	return day, err == nil
}

// Bool returns true or false.
func (v Value) Bool() (value, ok bool) {
	r := v.resolved()
	if r.node == nil || isFaulty(r) {
		return false, false
	}
	if kind(r.node) == "true or false" && (r.node.Value == "true" || r.node.Value == "false") {
		return r.node.Value == "true", true
	}
	v.Fault(v.shape.as(Bool).accepted(), "it is neither true nor false")
	return false, false
}

// TimeText is Text where a day or a time without quotation marks is accepted too.
func (v Value) TimeText() (text string, ok bool) {
	r := v.resolved()
	if r.node != nil && !isFaulty(r) && r.node.Kind == yaml.ScalarNode && kind(r.node) == "a day or a time" {
		return r.node.Value, true
	}
	return v.Text()
}

// Whole returns a whole number that is not negative.
func (v Value) Whole() (n int64, ok bool) {
	r := v.resolved()
	if r.node == nil || isFaulty(r) {
		return 0, false
	}
	s := v.shape.as(Whole)
	n, err := strconv.ParseInt(r.node.Value, 10, 64)
	switch {
	case kind(r.node) != "a number" || err != nil || n < 0:
		v.Fault(s.accepted(), "it is no whole number")
	case n < int64(s.Least) || s.Most > 0 && n > int64(s.Most):
		v.Fault(s.accepted(), "it is out of range")
	default:
		return n, true
	}
	return 0, false
}

// Any returns a value of JSON as encoding/json decodes it. A value that JSON cannot have is a fault.
func (v Value) Any() any {
	r := v.resolved()
	switch {
	case r.node == nil || isFaulty(r):
		return nil
	case r.IsMapping():
		members := map[string]any{}
		for name, member := range v.Names() {
			members[name] = member.Any()
		}
		return members
	case r.IsList():
		elements := []any{}
		for _, item := range r.items() {
			elements = append(elements, item.Any())
		}
		return elements
	}
	switch kind(r.node) {
	case "true or false":
		value, _ := v.Bool()
		return value
	case "a number":
		var n json.Number
		if err := json.Unmarshal([]byte(r.node.Value), &n); err != nil {
			v.Fault("a number as JSON has it", "it is no number of JSON")
			return nil
		}
		return n
	default:
		text, _ := v.Text()
		return text
	}
}

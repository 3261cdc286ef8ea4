package jamf

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// The values of the Pro API, and what the Classic API's are converted to.
type (
	text         = vendorjson.Text
	truth        = vendorjson.Truth
	maybe[T any] = vendorjson.Maybe[T] // an empty container of the Classic API is "" or another value
)

// convertedVersion is a version of the Classic API. A number with a fraction is unknown: 15.1 may have been 15.10 before it was
// converted.
func convertedVersion(t text) posture.Fact[posture.Version] {
	if t.Kind == '0' && strings.ContainsAny(t.Any, ".eE") {
		return posture.Fact[posture.Version]{}
	}
	return vendorjson.Version(t.Any)
}

// milliseconds is a time of the Classic API, in milliseconds since 1970; 0 stands for none.
func milliseconds(t text, now time.Time) posture.Fact[time.Time] {
	n, err := strconv.ParseInt(t.Any, 10, 64)
	if err != nil {
		return posture.Fact[time.Time]{}
	}
	return posture.Moment(time.UnixMilli(n).UTC(), now)
}

// list is a list of the Classic API: a single element of it may stand for itself, and "" or {} for an empty one. The zero
// list is not given: null, or missing.
type list[T any] struct {
	elements []T
	given    bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *list[T]) UnmarshalJSON(value []byte) error {
	*l = list[T]{given: jsontext.Value(value).Kind() != 'n'}
	switch {
	case jsontext.Value(value).Kind() == '[':
		if err := json.Unmarshal(value, &l.elements); err != nil {
			return fmt.Errorf("decode list: %w", err)
		}
	case isEmpty(value):
	default:
		var element T
		if err := json.Unmarshal(value, &element); err != nil {
			return fmt.Errorf("decode element: %w", err)
		}
		l.elements = []T{element}
	}
	return nil
}

func isEmpty(value jsontext.Value) bool {
	compact := value.Clone()
	_ = compact.Compact() // what cannot be compacted does not get here
	switch string(compact) {
	case `null`, `""`, `{}`, `[]`:
		return true
	}
	return false
}

package expression

import (
	"html"
	"math"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// functions are ours beside CEL's own. Those that read a value of the answer take null, none and "" for unknown; anything
// else that they cannot read is an error, so that an answer that has changed its form is a fault and not unknown.
func functions() []cel.EnvOption {
	maybeTime := cel.OptionalType(types.TimestampType)
	unary := func(name string, result *types.Type, of func(ref.Val) ref.Val) cel.EnvOption {
		return cel.Function(name, cel.Overload(name+"_dyn", []*types.Type{types.DynType}, result, cel.UnaryBinding(of)))
	}
	parse := func(args ...ref.Val) ref.Val { return parseTime(args) }
	return []cel.EnvOption{
		cel.Function("unescapeHTML", cel.Overload("unescapeHTML_string", []*types.Type{types.StringType}, types.StringType,
			cel.UnaryBinding(func(text ref.Val) ref.Val { return types.String(html.UnescapeString(string(text.(types.String)))) }))),
		cel.Function("words", cel.Overload("words_string_string", []*types.Type{types.StringType, types.StringType}, types.NewListType(types.StringType),
			cel.BinaryBinding(words))),
		unary("flag", cel.OptionalType(types.BoolType), flag),
		unary("epoch", maybeTime, func(v ref.Val) ref.Val { return epoch(v, time.Second) }),
		unary("epochMillis", maybeTime, func(v ref.Val) ref.Val { return epoch(v, time.Millisecond) }),
		cel.Function("parseTime",
			cel.Overload("parseTime_dyn", []*types.Type{types.DynType}, maybeTime, cel.UnaryBinding(func(v ref.Val) ref.Val { return parseTime([]ref.Val{v}) })),
			cel.Overload("parseTime_dyn_string", []*types.Type{types.DynType, types.StringType}, maybeTime, cel.BinaryBinding(func(v, layout ref.Val) ref.Val { return parse(v, layout) })),
			cel.Overload("parseTime_dyn_string_string", []*types.Type{types.DynType, types.StringType, types.StringType}, maybeTime, cel.FunctionBinding(parse))),
	}
}

// given is the value of an optional, and whether it is known.
func given(v ref.Val) (value ref.Val, known bool) {
	if o, is := v.(*types.Optional); is {
		if !o.HasValue() {
			return nil, false
		}
		v = o.GetValue()
	}
	return v, v != types.NullValue && v != types.String("")
}

// flag reads true and false, and the words and numbers that services write for them.
func flag(v ref.Val) ref.Val {
	v, known := given(v)
	if !known {
		return types.OptionalNone
	}
	switch v := v.(type) {
	case *types.Err:
		return v
	case types.Bool:
		return types.OptionalOf(v)
	case types.Int:
		if v == 0 || v == 1 {
			return types.OptionalOf(types.Bool(v == 1))
		}
	case types.String:
		switch strings.ToLower(string(v)) {
		case "true", "1", "yes", "y", "t", "on":
			return types.OptionalOf(types.True)
		case "false", "0", "no", "n", "f", "off":
			return types.OptionalOf(types.False)
		}
	}
	return types.NewErr("flag() has a value that is neither true nor false")
}

// epoch reads a number, or a text of digits, that counts units since 1970. 0 is unknown.
func epoch(v ref.Val, unit time.Duration) ref.Val {
	v, known := given(v)
	if !known {
		return types.OptionalNone
	}
	n := int64(0)
	switch v := v.(type) {
	case *types.Err:
		return v
	case types.Int:
		n = int64(v)
	case types.Double:
		if math.Abs(float64(v)) > math.MaxInt64/float64(time.Second) || math.IsNaN(float64(v)) {
			return types.NewErr("epoch() has a number that is no time")
		}
		n = int64(v)
	case types.String:
		var err error
		if n, err = strconv.ParseInt(string(v), 10, 64); err != nil {
			return types.NewErr("epoch() has a text that is no number")
		}
	default:
		return types.NewErr("epoch() has a value that is no number")
	}
	const latest = 253402300799 // the last second of the year 9999
	at := time.Unix(n, 0)
	if unit == time.Millisecond {
		at = time.UnixMilli(n)
	}
	switch seconds := at.Unix(); {
	case n == 0:
		return types.OptionalNone
	case n < 0 || seconds > latest:
		return types.NewErr("epoch() has a number that is no time")
	}
	return types.OptionalOf(types.Timestamp{Time: at.UTC()})
}

// layouts are those that parseTime tries without one of its own: RFC 3339, with any fraction, with a space for the T, and
// without a zone.
func layouts() []string {
	return []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05"}
}

// parseTime reads a text, by a layout of Go's package time and in a zone where the text has none. A zone-less text without
// a zone of the expression is an error: to guess one could move a time by half a day.
func parseTime(args []ref.Val) ref.Val {
	v, known := given(args[0])
	if !known {
		return types.OptionalNone
	}
	if at, is := v.(types.Timestamp); is {
		return types.OptionalOf(at)
	}
	text, isText := v.(types.String)
	if !isText {
		if types.IsError(v) {
			return v
		}
		return types.NewErr("parseTime() has a value that is no text")
	}
	tried, zone := layouts(), (*time.Location)(nil)
	if len(args) > 1 && args[1].(types.String) != "" {
		tried = []string{string(args[1].(types.String))}
	}
	if len(args) > 2 {
		var err error
		if zone, err = time.LoadLocation(string(args[2].(types.String))); err != nil || args[2].(types.String) == "Local" {
			return types.NewErr("parseTime() has a time zone that is not known")
		}
	}
	for _, layout := range tried {
		if zone == nil && !strings.Contains(layout, "Z07") && !strings.Contains(layout, "-07") && !strings.Contains(layout, "MST") {
			continue
		}
		at, err := time.ParseInLocation(layout, string(text), orUTC(zone))
		if err == nil {
			return types.OptionalOf(types.Timestamp{Time: at.UTC()})
		}
	}
	return types.NewErr("parseTime() has a text that is no time of its layout")
}

func orUTC(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}

// words splits a text at each sep; blanks around a part, and empty parts, are dropped.
func words(text, sep ref.Val) ref.Val {
	if sep.(types.String) == "" {
		return types.NewErr("words() has an empty separator")
	}
	found := []string{}
	for part := range strings.SplitSeq(string(text.(types.String)), string(sep.(types.String))) {
		if part = strings.TrimSpace(part); part != "" {
			found = append(found, part)
		}
		if len(found) > maxWords {
			return types.NewErr("words() has a text of too many parts")
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(found)
}

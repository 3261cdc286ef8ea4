package jamftest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An RSQL filter is parsed into a function that reports whether a record fulfills it. The grammar is
// that of Jamf, with one exception: a value has to be quoted, because a client that does not quote
// does not escape either.
//
//	or         = and { ( "," | " or " ) and }
//	and        = constraint { ( ";" | " and " ) constraint }
//	constraint = "(" or ")" | selector operator value
//	value      = quoted | "(" quoted { "," quoted } ")"
type filter func(fields map[string]string) bool

var (
	errFilter = errors.New("the filter is malformed")
	errField  = errors.New("the field cannot be used in a filter")
)

type rsqlParser struct {
	rest   string
	fields []string // that may be used
	fuzzy  bool
}

func parseRSQL(text string, fields []string, fuzzy bool) (filter, error) {
	p := &rsqlParser{text, fields, fuzzy}
	f, err := p.or()
	if err == nil && p.rest != "" {
		err = errFilter
	}
	return f, err
}

// eat takes one of the given texts from the front.
func (p *rsqlParser) eat(texts ...string) (string, bool) {
	for _, text := range texts {
		if rest, ok := strings.CutPrefix(p.rest, text); ok {
			p.rest = rest
			return text, true
		}
	}
	return "", false
}

func (p *rsqlParser) or() (filter, error) {
	return p.list(p.and, []string{",", " or "}, func(a, b bool) bool { return a || b })
}

func (p *rsqlParser) and() (filter, error) {
	return p.list(p.constraint, []string{";", " and "}, func(a, b bool) bool { return a && b })
}

func (p *rsqlParser) list(part func() (filter, error), separators []string, join func(a, b bool) bool) (filter, error) {
	all, err := part()
	if err != nil {
		return nil, err
	}
	for {
		if _, more := p.eat(separators...); !more {
			return all, nil
		}
		before := all
		next, err := part()
		if err != nil {
			return nil, err
		}
		all = func(fields map[string]string) bool { return join(before(fields), next(fields)) }
	}
}

func (p *rsqlParser) constraint() (filter, error) {
	if _, open := p.eat("("); open {
		f, err := p.or()
		if err != nil {
			return nil, err
		}
		if _, closed := p.eat(")"); !closed {
			return nil, errFilter
		}
		return f, nil
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool { return strings.ContainsRune(`"'();,=!~<> `, r) })
	if end <= 0 {
		return nil, errFilter
	}
	field := p.rest[:end]
	p.rest = p.rest[end:]
	operator, ok := p.eat("==", "!=", "=lt=", "<=", "=le=", "<", "=gt=", ">=", "=ge=", ">", "=in=", "=out=")
	if !ok {
		return nil, errFilter
	}
	values, err := p.values(operator == "=in=" || operator == "=out=")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.fields, field) {
		return nil, fmt.Errorf("%w: %s", errField, field)
	}
	return func(fields map[string]string) bool { return p.compare(fields[field], operator, values) }, nil
}

func (p *rsqlParser) values(several bool) ([]string, error) {
	if !several {
		value, err := p.quoted()
		return []string{value}, err
	}
	if _, open := p.eat("("); !open {
		return nil, errFilter
	}
	var values []string
	for {
		value, err := p.quoted()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		switch end, ok := p.eat(",", ")"); {
		case !ok:
			return nil, errFilter
		case end == ")":
			return values, nil
		}
	}
}

// quoted takes a value in quotation marks; a backslash in it escapes the next character.
func (p *rsqlParser) quoted() (string, error) {
	quote, ok := p.eat(`"`, `'`)
	if !ok {
		return "", errFilter
	}
	var value strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote[0]:
			p.rest = p.rest[i+1:]
			return value.String(), nil
		case c == '\\' && i+1 < len(p.rest):
			i++
			value.WriteByte(p.rest[i])
		default:
			value.WriteByte(c)
		}
	}
	return "", errFilter
}

func (p *rsqlParser) compare(value, operator string, wanted []string) bool {
	matches := slices.ContainsFunc(wanted, func(pattern string) bool {
		return matchWildcard(pattern, value) || p.fuzzy && strings.Contains(strings.ToLower(value), strings.ToLower(pattern))
	})
	order := strings.Compare(value, wanted[0])
	switch operator {
	case "==", "=in=":
		return matches
	case "!=", "=out=":
		return !matches
	case "=lt=", "<":
		return order < 0
	case "=le=", "<=":
		return order <= 0
	case "=gt=", ">":
		return order > 0
	default:
		return order >= 0
	}
}

// matchWildcard compares without regard to case; a * stands for any text, the empty one included.
func matchWildcard(pattern, value string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return sameText(pattern, value)
	}
	pattern, value = strings.ToLower(pattern), strings.ToLower(value)
	parts = strings.Split(pattern, "*")
	if !strings.HasPrefix(value, parts[0]) {
		return false
	}
	value = value[len(parts[0]):]
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		_, rest, found := strings.Cut(value, part)
		if !found {
			return false
		}
		value = rest
	}
	return strings.HasSuffix(value, parts[last])
}

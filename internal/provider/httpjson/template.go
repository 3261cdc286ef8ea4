package httpjson

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/provider/httpjson/expression"
)

// placeholder is what {{…}} stands for.
type placeholder int

const (
	isLiteral placeholder = iota
	isIdentifier
	isVar
	isSecret
	isItem
	isCursor
)

// part is a literal or a placeholder.
type part struct {
	kind  placeholder
	text  string // the literal, or the name behind the dot
	value *expression.Expression
}

// template is a text with placeholders. It is parsed once: values are data, and {{…}} in them is never expanded.
type template struct {
	parts     []part
	omitEmpty bool
}

// values are what placeholders stand for in one request. Those of vars were filled in when the template was read.
type values struct {
	identifier string
	secrets    map[string]config.Secret
	cursor     string
	item       map[string]any // the variables of an expression about the item
}

// errNoValue is the error of a value that cannot stand where it should.
var errNoValue = errors.New("a placeholder has no value that can stand there")

// allowed says which placeholders a template may have.
type allowed struct {
	secrets, identifier, item, cursor bool
	// whole means that a value of the answer, or an identifier that may have any character, is all of the text. Paths are
	// judged by segments, see readPath.
	whole bool
	// escape is the word for what is done to a value in this place anyway: {{serial|path}} in a path is {{serial}}.
	escape string
}

func (c allowed) accepted(serial bool) string {
	all := []string{}
	if c.identifier {
		all = append(all, "{{identifier}}")
		if serial {
			all = append(all, "{{serial}}")
		}
	}
	all = append(all, "{{vars.NAME}}")
	if c.secrets {
		all = append(all, "{{secret.NAME}}")
	}
	if c.item {
		all = append(all, "{{item.NAME}}")
	}
	if c.cursor {
		all = append(all, "{{cursor}}")
	}
	return strings.Join(all, ", ")
}

// named is a placeholder with a name behind a dot. generic-http writes var and secret, the keys are vars and secrets.
var named = regexp.MustCompile(`^(vars?|secrets?)\.([A-Za-z_][A-Za-z0-9_]*)$`)

// itemPath is a placeholder for a value of the record. Every part of it must exist.
var itemPath = regexp.MustCompile(`^item(\.[A-Za-z_][A-Za-z0-9_]*)+$`)

// template reads a template. What is wrong is reported at its place in the text.
func (r *reader) template(v document.Value, text string, c allowed) template {
	var t template
	if n := utf8.RuneCountInString(text); n > maxTemplate {
		v.Fault(fmt.Sprintf("at most %d characters", maxTemplate), "it has %d characters", n)
		return t
	}
	for at := 0; at < len(text); {
		begin := strings.Index(text[at:], "{{")
		if begin < 0 {
			t.parts = append(t.parts, part{text: text[at:]})
			break
		}
		if begin > 0 {
			t.parts = append(t.parts, part{text: text[at : at+begin]})
		}
		begin += at
		line, column := placeIn(text, begin)
		end := strings.Index(text[begin:], "}}")
		if end < 0 {
			r.faulty = true
			v.FaultIn(line, column, c.accepted(r.serial()), "a placeholder has no end")
			return t
		}
		name, option, hasOption := strings.Cut(text[begin+2:begin+end], "|")
		at = begin + end + 2
		switch option = strings.TrimSpace(option); {
		case option == "omitempty":
			t.omitEmpty = true
			if begin > 0 || at < len(text) {
				v.FaultIn(line, column, "a placeholder that is all of the text", "|omitempty leaves out a whole value")
			}
		case hasOption && (option == "" || option != c.escape):
			v.FaultIn(line, column, "|omitempty; values are escaped as their place needs it", "unknown option")
		}
		p, ok := r.placeholder(v, strings.TrimSpace(name), line, column, c)
		r.faulty = r.faulty || !ok
		if ok {
			t.parts = append(t.parts, p)
			if c.whole && (begin > 0 || at < len(text)) && r.mustBeWhole(p.kind) {
				v.FaultIn(line, column, "a placeholder that is all of the text", "a value that may have any character stands inside of a text")
			}
		}
	}
	r.note(v.Path(), text)
	return t
}

// mustBeWhole reports whether the value of a placeholder may have characters that mean something in the text around it.
func (r *reader) mustBeWhole(kind placeholder) bool {
	return kind == isItem || kind == isCursor || kind == isIdentifier && !r.serial()
}

// placeIn is the place of a byte of a text, from 1, in characters.
func placeIn(text string, at int) (line, column int) {
	before := text[:at]
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

func (r *reader) placeholder(v document.Value, name string, line, column int, c allowed) (part, bool) {
	m := named.FindStringSubmatch(name)
	switch {
	case c.identifier && name == "identifier", c.identifier && name == "serial" && r.serial():
		return part{kind: isIdentifier}, true
	case c.identifier && name == "serial":
		v.FaultIn(line, column, "{{identifier}}", "{{serial}} is for identifiers: serial")
	case c.cursor && name == "cursor":
		return part{kind: isCursor}, true
	case m != nil && strings.HasPrefix(m[1], "var"):
		value, known := r.vars[m[2]]
		if !known {
			r.unknownName(v, line, column, "variable", m[2], r.varNames)
			return part{}, false
		}
		return part{kind: isVar, text: value}, true
	case m != nil && c.secrets:
		if _, known := r.config.secrets[m[2]]; !known {
			r.unknownName(v, line, column, "secret", m[2], r.secretNames)
			return part{}, false
		}
		return part{kind: isSecret, text: m[2]}, true
	case m != nil:
		v.FaultIn(line, column, c.accepted(r.serial()), "a secret stands only in auth and in headers")
	case c.item && itemPath.MatchString(name):
		e, faults := r.scopes.item.Compile(name, expression.AnyKind)
		if len(faults) > 0 {
			v.FaultIn(line, column, c.accepted(r.serial()), "%s", faults[0].Text)
			return part{}, false
		}
		return part{kind: isItem, text: name, value: e}, true
	default:
		text := "unknown placeholder"
		if near := document.Nearest(name, []string{"identifier", "serial", "cursor"}); near != "" {
			text += "; did you mean " + near + "?"
		}
		v.FaultIn(line, column, c.accepted(r.serial()), "%s", text)
	}
	return part{}, false
}

func (r *reader) unknownName(v document.Value, line, column int, what, name string, names []string) {
	accepted := strings.Join(names, ", ")
	if len(names) == 0 {
		accepted = "those that the inventory declares, which are none"
	}
	text := "unknown " + what
	if near := document.Nearest(name, names); near != "" {
		text += "; did you mean " + near + "?"
	}
	v.FaultIn(line, column, accepted, "%s", text)
}

// has reports whether a template has a placeholder of a kind.
func (t template) has(kind placeholder) bool {
	for _, p := range t.parts {
		if p.kind == kind {
			return true
		}
	}
	return false
}

// render returns the text without any escaping, which the place of it needs.
func (t template) render(ctx context.Context, v values) (string, error) {
	var text strings.Builder
	for _, p := range t.parts {
		value, err := p.render(ctx, v)
		if err != nil {
			return "", err
		}
		text.WriteString(value)
	}
	return text.String(), nil
}

func (p part) render(ctx context.Context, v values) (string, error) {
	switch p.kind {
	case isLiteral, isVar:
		return p.text, nil
	case isIdentifier:
		return v.identifier, nil
	case isSecret:
		return string(v.secrets[p.text].Reveal()), nil
	case isCursor:
		return v.cursor, nil
	case isItem:
		value, known, err := p.value.Evaluate(ctx, v.item)
		if err != nil || !known {
			return "", fmt.Errorf("{{%s}}: %w", p.text, errNoValue)
		}
		switch value := value.(type) {
		case string:
			return value, nil
		case int64:
			return strconv.FormatInt(value, 10), nil
		case uint64:
			return strconv.FormatUint(value, 10), nil
		}
		return "", fmt.Errorf("{{%s}}: %w", p.text, errNoValue)
	}
	return "", errNoValue
}

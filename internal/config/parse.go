// Package config turns environment variables into typed configuration.
//
// Each part of the product declares a struct whose tags say everything about its variables:
//
//	env:"NAME,required"   the variable; see https://pkg.go.dev/github.com/caarlos0/env/v11
//	requiredWithout:"X Y" it is required where none of the variables X and Y is set, or is 1 for a Switch
//	file:"allowed"        it may be in a file that NAME_FILE names, as a Secret may
//	envDefault:"10"       what an unset variable means
//	range:"1-300"         the numbers that are accepted, for a Whole
//	choice:"csv,json"     the words that are accepted, for a string
//	only:"section"        it is no variable, and only a key of the section of a policy file
//	path:"allowed"        a Secret may be the path of a file that exists; any other probably belongs in NAME_FILE
//	lines:"allowed"       a Secret may have several lines, such as a key in PEM
//	accepted:"…"          what is accepted, in words, where neither of the two says it; a string that has
//	                      this is free text, and spaces at its ends may be meant
//
// The rest is for "make generate", which writes the tables of the documentation, the example files and the compose
// files: the field's comment says what the variable means (its first paragraph everywhere, the others in the tables
// only), with the links of a page in docs; and
//
//	unset:"required"      what an unset variable means, in words, where the tags above do not say it
//	example:"…"           a value for the example files, if it has no default
//	group:"TLS"           the heading in .env.example; variables of providers follow PROVIDER
package config

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Problem is one thing that is wrong with one variable. It never holds the value of a secret.
type Problem struct {
	Variable string
	Text     string // what is wrong
	Accepted string // what would be right; may be empty if Text says it
}

func (p Problem) Error() string {
	if p.Variable == "" {
		return p.Text // it says itself what it is about: a place in a policy file
	}
	if p.Accepted == "" {
		return p.Variable + ": " + p.Text
	}
	return p.Variable + ": " + p.Text + "; accepted: " + p.Accepted
}

// Problems are all the problems of a configuration. Its text has one line for each.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Missing reports whether a variable that is required is not set.
func (ps Problems) Missing() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Text == textNotSet })
}

// surplus reports whether a list has an empty entry or a comment, so that the number of its entries means nothing.
func (ps Problems) surplus() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool {
		return strings.HasPrefix(p.Text, "entry ") && (strings.Contains(p.Text, " is empty") || strings.Contains(p.Text, "begins with #"))
	})
}

// about reports whether a variable has a problem already.
func (ps Problems) about(variable string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Variable == variable })
}

// Parse fills into from environ. An empty variable counts as unset. It returns every Problem, in
// the order of the fields.
func Parse[T any](environ map[string]string, into *T) Problems {
	given := maps.Clone(environ)
	for _, f := range fieldsOf[T]() {
		if f.onlySection {
			delete(given, f.variable)
		}
	}
	return parse(given, into)
}

// parse is Parse, where environ also has the values of fields that are only keys of a section. It changes environ.
func parse[T any](given map[string]string, into *T) Problems {
	maps.DeleteFunc(given, func(_, value string) bool { return value == "" })
	fields := fieldsOf[T]()

	var problems Problems
	for i, f := range fields {
		if p, wrong := resolveFile(given, f); wrong {
			problems = append(problems, p)
			continue
		}
		if _, fromFile := given[f.variable+fileSuffix]; f.inFile && fromFile {
			fields[i].shown += fileSuffix
		}
		if text := fields[i].shape(given[f.variable]); text != "" {
			problems = append(problems, Problem{fields[i].shown, text, f.accepted()})
			delete(given, f.variable)
		}
	}
	for _, p := range reword(env.ParseWithOptions(into, env.Options{Environment: given}), fields) {
		// A secret whose file cannot be read is not reported as unset as well.
		if p.Text != textNotSet || !problems.about(p.Variable) && !problems.about(p.Variable+fileSuffix) {
			problems = append(problems, p)
		}
	}
	for _, f := range fields {
		if others := f.tag.Get("requiredWithout"); others != "" && !anyOf(given, others) && given[f.variable] == "" &&
			!problems.about(f.variable) && !problems.about(f.variable+fileSuffix) {
			problems = append(problems, Problem{f.variable, textNotSet, f.accepted()})
		}
	}
	value := reflect.ValueOf(into).Elem()
	for _, f := range fields {
		if text, wrong := f.check(value.FieldByName(f.name)); wrong && !problems.about(f.variable) {
			problems = append(problems, Problem{f.variable, text, f.accepted()})
		}
	}
	position := func(p Problem) int {
		name := strings.TrimSuffix(p.Variable, fileSuffix)
		return slices.IndexFunc(fields, func(f field) bool { return f.variable == name })
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return position(a) - position(b) })
	return problems
}

// Variables returns the variables that T declares, with those that take a NAME_FILE in its place.
func Variables[T any]() []string {
	var names []string
	for _, f := range fieldsOf[T]() {
		if f.onlySection {
			continue
		}
		names = append(names, f.variable)
		if f.inFile {
			names = append(names, f.variable+fileSuffix)
		}
	}
	return names
}

// anyOf reports whether one of several variables is set. A Switch that is off is not.
func anyOf(given map[string]string, names string) bool {
	return slices.ContainsFunc(strings.Fields(names), func(name string) bool { return given[name] != "" && given[name] != "0" })
}

const textNotSet = "not set"

// field is what the tags of one struct field say.
type field struct {
	name, variable string
	shown          string // the variable that an operator has set: NAME, or NAME_FILE
	tag            reflect.StructTag
	typ            reflect.Type
	secret         bool
	inFile         bool // it may be in a file that NAME_FILE names
	onlySection    bool
}

func fieldsOf[T any]() []field {
	var fields []field
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		variable, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		if variable == "" {
			continue
		}
		secret := f.Type == reflect.TypeFor[Secret]() || f.Type == reflect.TypeFor[Secrets]()
		inFile := secret || f.Type == reflect.TypeFor[UUIDs]() || f.Tag.Get("file") == "allowed"
		fields = append(fields, field{f.Name, variable, variable, f.Tag, f.Type, secret, inFile, f.Tag.Get("only") == "section"})
	}
	return fields
}

// accepted says in words what the field takes.
func (f field) accepted() string {
	if low, high, ok := strings.Cut(f.tag.Get("range"), "-"); ok {
		return "a whole number from " + low + " to " + high
	}
	if choice := f.tag.Get("choice"); choice != "" {
		return strings.ReplaceAll(choice, ",", " or ")
	}
	return f.tag.Get("accepted")
}

// shape judges a value as it was given. In free text a space at an end, or a #, may be meant: Doubts warns of them.
func (f field) shape(value string) string {
	if f.tag.Get("lines") == "allowed" && strings.Contains(value, "\n") {
		return "" // such as a key in PEM: what reads it judges it
	}
	freeText := f.tag.Get("accepted") != ""
	text := shape(value, f.typ)
	if text == pathOfSecret && f.tag.Get("path") == "allowed" {
		text = ""
	}
	if f.shown != f.variable {
		text = inFile(text)
	}
	switch {
	case text == "" && !freeText && hasComment(value):
		return commentAfter
	case text == "" && !freeText && strings.TrimSpace(value) != value:
		return spaceAtEnd
	default:
		return text
	}
}

// check holds a value to its range or choice; zero values were judged by "required" already.
func (f field) check(value reflect.Value) (text string, wrong bool) {
	switch number, isWhole := value.Interface().(Whole); {
	case isWhole:
		low, high, _ := strings.Cut(f.tag.Get("range"), "-")
		text = strconv.Itoa(int(number))
		wrong = outside(int(number), low, high)
	case f.tag.Get("choice") != "" && value.String() != "":
		text = value.String()
		wrong = !slices.Contains(strings.Split(f.tag.Get("choice"), ","), text)
	}
	return quote(text), wrong
}

func outside(number int, low, high string) bool {
	least, errLow := strconv.Atoi(low)
	most, errHigh := strconv.Atoi(high)
	// Without a readable range nothing is accepted: that is a bug of ours, and a test would find it.
	return errLow != nil || errHigh != nil || number < least || number > most
}

// reword turns the errors of the env library into problems. The library's own texts are not shown: some repeat the
// value.
func reword(err error, fields []field) Problems {
	var all env.AggregateError
	if err != nil && !errors.As(err, &all) {
		return Problems{{"configuration", "cannot be read", ""}}
	}
	var problems Problems
	for _, err := range all.Errors {
		var notSet env.VarIsNotSetError
		var parse env.ParseError
		switch {
		case errors.As(err, &notSet):
			i := slices.IndexFunc(fields, func(f field) bool { return f.variable == notSet.Key })
			problems = append(problems, Problem{notSet.Key, textNotSet, fields[i].accepted()})
		case errors.As(err, &parse):
			i := slices.IndexFunc(fields, func(f field) bool { return f.name == parse.Name })
			for line := range strings.Lines(parse.Err.Error()) {
				problems = append(problems, Problem{fields[i].shown, strings.TrimSuffix(line, "\n"), fields[i].accepted()})
			}
		default:
			problems = append(problems, Problem{"configuration", "cannot be read", ""})
		}
	}
	return problems
}

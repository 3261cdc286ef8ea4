package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// CEL's messages name its own types and functions ("_>=_", "timestamp"), which no rule contains. They are
// matched as texts because CEL has no codes for them; the tests compare the results, so that a new version of CEL
// cannot change them without notice.
var (
	overloadError   = regexp.MustCompile(`^found no matching overload for '(.*?)' applied to '(?:(.*)\.)?\((.*)\)'$`)
	mismatchError   = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'$`)
	undeclaredError = regexp.MustCompile(`^undeclared reference to '([^']*)'(?:.*\(did you mean '([A-Za-z]+)'\?\))?`)
	selectionError  = regexp.MustCompile(`^type '(.*)' does not support field selection$`)
	rangeError      = regexp.MustCompile(`^expression of type '(.*)' cannot be range of a comprehension`)
	inputError      = regexp.MustCompile(`^Syntax error: (?:mismatched|extraneous) input '(.*?)' expecting`)
	inputErrorToo   = regexp.MustCompile(`^Syntax error: no viable alternative at input '(.*)'$`)
	missingError    = regexp.MustCompile(`^Syntax error: missing '(.)' at`)
	tokenError      = regexp.MustCompile(`^Syntax error: token recognition error at: '(.*)'$`)
)

// What is right where the mistake does not say it better: each fault says it.
const (
	atLeastOrBelow     = `device.os_version.atLeast("15.4"), device.os_version.below("16")`
	acceptedExpression = "an expression such as device.managed"
	acceptedFunctions  = "a function of CEL or of its strings extension, atLeast, below, days or sameIdentifier"
	acceptedInHas      = `has(device.last_seen), has(device.attributes["name"])`
	oneType            = "values of one type"

	ageOrDay      = `device.last_seen > now - days(7), now >= timestamp("2027-01-15T00:00:00Z")`
	daysOrHours   = `days(7), or duration("36h") for less than days`
	straightMarks = `straight quotation marks, " or '`
)

// isSpanOfTime reports whether a word is one that people write for a duration.
func isSpanOfTime(word string) bool {
	return slices.Contains([]string{"day", "days", "hour", "hours", "minute", "minutes", "week", "weeks", "d", "h"}, word)
}

// acceptedOperands is what an operator for calculations takes.
func acceptedOperands(symbol string) string {
	switch symbol {
	case "&&", "||":
		return "true or false on both sides"
	case "+":
		return "two numbers of one kind, texts or lists, or a time and a duration"
	case "-":
		return "two numbers of one kind or times, or a time and a duration"
	}
	return "two numbers of one kind"
}

// reword says what CEL's checker found wrong, in the words of a policy file.
func reword(message string) (text, accepted string) {
	if m := overloadError.FindStringSubmatch(message); m != nil {
		return rewordOverload(m[1], m[2], splitTypes(m[3]))
	}
	if m := mismatchError.FindStringSubmatch(message); m != nil {
		return "it is " + plainType(m[2]), plainType(m[1])
	}
	if m := undeclaredError.FindStringSubmatch(message); m != nil {
		text := fmt.Sprintf("unknown function %q", m[1])
		if m[2] != "" {
			text += "; did you mean " + m[2] + "?"
		}
		if isSpanOfTime(m[1]) {
			return text, daysOrHours
		}
		return text, acceptedFunctions
	}
	if m := selectionError.FindStringSubmatch(message); m != nil {
		return plainType(m[1]) + " has no names in it", "the value itself, without a dot behind it"
	}
	if m := rangeError.FindStringSubmatch(message); m != nil {
		return "a loop cannot go through " + plainType(m[1]), "a list"
	}
	if strings.ContainsAny(message, "@_") {
		return "the types do not fit", oneType
	}
	return message, acceptedExpression
}

func rewordOverload(function, target string, args []string) (text, accepted string) {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = plainType(arg)
	}
	if len(args) > 1 && words[len(args)-1] == "a number" && words[len(args)-2] == "a number" {
		for i, arg := range args {
			words[i] = exactType(arg)
		}
	}
	symbol, isOperator := operators.FindReverse(function)
	binary := isOperator && len(args) == 2
	switch {
	case function == operators.Index && binary:
		return fmt.Sprintf("%s has no element at %s", words[0], words[1]), "a list with a whole number, or a map with one of its keys"
	case function == operators.In || function == operators.OldIn:
		return fmt.Sprintf("in does not search for %s in %s", words[0], words[1]), "a value and a list of such values"
	case function == operators.Conditional:
		return "the two results of ? : are " + strings.Join(words[1:], " and "), oneType
	case binary && slices.Contains(comparisons(), symbol):
		text = fmt.Sprintf("%s does not compare %s with %s", symbol, words[0], words[1])
		if slices.Contains(args, versionTypeName) {
			return text, atLeastOrBelow
		}
		if words[0] == "a time" {
			return text, ageOrDay
		}
		if symbol != "==" && symbol != "!=" {
			return text, "two texts, numbers, times or durations"
		}
		return text, oneType
	case binary:
		return fmt.Sprintf("%s does not take %s and %s", symbol, words[0], words[1]), acceptedOperands(symbol)
	case function == operators.LogicalNot:
		return "! does not take " + words[0], "true or false"
	case function == operators.Negate:
		return "- does not take " + words[0], "a number"
	}
	text = function + "()"
	if target != "" {
		text += " of " + plainType(target)
	}
	if len(words) == 0 {
		text += " does not exist without a value in the brackets"
	} else {
		text += " does not take " + strings.Join(words, " and ")
	}
	if function == "atLeast" || function == "below" {
		return text, atLeastOrBelow
	}
	if function == "contains" && strings.HasPrefix(target, "list(") {
		return text, `"Finance" in device.groups`
	}
	return text, "values of the types that the function takes"
}

func comparisons() []string { return []string{"==", "!=", "<", "<=", ">", ">="} }

// splitTypes splits the types of arguments at the commas that are not in brackets.
func splitTypes(list string) (all []string) {
	depth, begin := 0, 0
	for i, c := range list {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			all = append(all, list[begin:i])
			begin = i + len(", ")
		}
	}
	if begin < len(list) {
		all = append(all, list[begin:])
	}
	return all
}

// exactType distinguishes the kinds of numbers, where their difference is the mistake.
func exactType(name string) string {
	switch name {
	case "int":
		return "a whole number"
	case "uint":
		return "a number with a u"
	case "double":
		return "a number with a point"
	}
	return plainType(name)
}

// plainType is a type of CEL as a user knows it.
func plainType(name string) string {
	if element, isList := strings.CutPrefix(name, "list("); isList {
		switch element = strings.TrimSuffix(element, ")"); element {
		case "string":
			return "a list of texts"
		case "int", "uint", "double":
			return "a list of numbers"
		}
		return "a list"
	}
	switch name {
	case "string":
		return "text"
	case "int", "uint", "double":
		return "a number"
	case "bool":
		return "true or false"
	case "timestamp":
		return "a time"
	case "duration":
		return "a duration"
	case versionTypeName:
		return "a version"
	case "bytes":
		return "bytes"
	case "null", "null_type":
		return "null"
	}
	switch {
	case strings.HasPrefix(name, "map("):
		return "a map"
	case isObject(name):
		return "a whole record"
	}
	return "another type"
}

// isObject reports whether a type is one of ours with fields.
func isObject(name string) bool { return strings.HasPrefix(name, "@") && name != versionTypeName }

func plain(t *types.Type) string { return plainType(checker.FormatCELType(t)) }

const (
	operatorWords  = "&& for and, || for or, ! for not"
	optionalSyntax = "unsupported syntax"

	hasTakesFact    = "has() takes a fact"
	nestedTooDeeply = "the expression is nested too deeply"
)

// rewordSyntax says what CEL's parser found wrong, in plain words.
func rewordSyntax(message string) (text, accepted string) {
	if m := inputError.FindStringSubmatch(message); m != nil {
		switch strings.ToLower(m[1]) {
		case "<eof>":
			return "the expression ends too early", acceptedExpression
		case "and", "or", "not", ",":
			accepted = operatorWords
		case "is":
			accepted = "== to compare"
		default:
			accepted = acceptedExpression
			if isSpanOfTime(m[1]) {
				accepted = daysOrHours
			}
		}
		return fmt.Sprintf("%s does not belong here", quote(strings.TrimSpace(m[1]))), accepted
	}
	if m := missingError.FindStringSubmatch(message); m != nil {
		return m[1] + " is missing", "both brackets of a pair"
	}
	if m := inputErrorToo.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s does not belong here", quote(strings.TrimSpace(m[1]))), acceptedExpression
	}
	if m := tokenError.FindStringSubmatch(message); m != nil {
		switch {
		case strings.HasPrefix(m[1], "="):
			return "= is no operator", "== to compare"
		case strings.ContainsRune(m[1], '\\'):
			return `the text has a \ before a character that it does not go with`, `\\ for a backslash, or r"..." for a pattern`
		case strings.HasPrefix(m[1], `"`) || strings.HasPrefix(m[1], "'"):
			return "a text without its second quotation mark", "a text between two quotation marks"
		case strings.ContainsAny(m[1], "“”„‟‘’‚‛«»"):
			return fmt.Sprintf("%s does not belong here", quote(strings.TrimSpace(m[1]))), straightMarks
		}
		return fmt.Sprintf("%s does not belong here", quote(strings.TrimSpace(m[1]))), acceptedExpression
	}
	if strings.HasPrefix(message, optionalSyntax) {
		return optionalSyntax, "has(device.name) to ask whether a fact is known"
	}
	if strings.Contains(message, "recursion") {
		return nestedTooDeeply, fmt.Sprintf("%d levels", maxDepth)
	}
	if message == hasTakesFact {
		return hasTakesFact, acceptedInHas
	}
	if word, ok := strings.CutPrefix(message, "reserved identifier: "); ok {
		return fmt.Sprintf("%q is a word of the expression language", word), "another name"
	}
	return strings.TrimPrefix(message, "Syntax error: "), acceptedExpression
}

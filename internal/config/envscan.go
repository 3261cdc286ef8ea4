package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// assignment matches the beginning of a statement; YAML has a colon in place of the equals sign.
const assignment = `^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*[=:][ \t]*`

// scan splits an env file into statements. It continues after a fault, if it is certain where the next line begins.
func scan(lines []string) (statements []statement, faults []fault) {
	begin := regexp.MustCompile(assignment)
	known := map[string]string{}
	for i := 0; i < len(lines); i++ {
		if content := strings.TrimLeft(lines[i], " \t"); content == "" || content[0] == '#' {
			continue
		}
		found := begin.FindStringSubmatch(lines[i])
		if found == nil || hasControl(lines[i]) {
			faults = append(faults, unreadable(i+1, lines[i]))
			continue
		}
		s := statement{name: found[1], line: i + 1, end: i + 1}
		rest := lines[i][len(found[0]):]
		var wrong *fault
		if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
			wrong = s.quoted(rest, lines[i+1:], known)
		} else {
			wrong = s.unquoted(rest, known)
		}
		if wrong != nil {
			wrong.line, wrong.name = s.line, s.name
			faults = append(faults, *wrong)
			if s.end == 0 {
				return statements, faults
			}
			known[s.name] = "?" // lines that refer to it are not reported as well
		} else {
			statements = append(statements, s)
			known[s.name] = s.value
		}
		i = s.end - 1
	}
	return statements, faults
}

// unreadable says why a line cannot be read, also where the cause is invisible.
func unreadable(number int, line string) fault {
	if r, is := hidden(line); is {
		return fault{number, "", fmt.Sprintf("has a character that is invisible or looks like a space (%U)", r), "the line without it"}
	}
	if strings.Contains(line, "\r") {
		return fault{number, "", "has a carriage return in it", "line ends of LF or CRLF"}
	}
	return fault{number, "", "cannot be read", acceptedLine}
}

func hasControl(line string) bool {
	return strings.ContainsFunc(line, func(r rune) bool { return r != '\t' && unicode.IsControl(r) })
}

// quoted reads a value in quotation marks, which may end on a later line. If it finds no end it sets s.end to 0.
func (s *statement) quoted(rest string, below []string, known map[string]string) *fault {
	quotation := rest[0]
	text := rest[1:]
	end := closing(text, quotation)
	for n := 0; end < 0; n++ {
		if n == len(below) || looksAssigned(below[n]) || hasControl(below[n]) {
			// Otherwise the next quotation mark, maybe that of another variable, would end the value.
			s.end = 0
			return &fault{text: "has a quotation mark at its beginning that is not closed", accepted: "one at its end too, or, where it belongs to the value, the whole value in single quotes"}
		}
		text += "\n" + below[n]
		end = closing(text, quotation)
		s.end++
	}
	if after := strings.TrimLeft(text[end+1:], " \t"); after != "" && after[0] != '#' {
		return &fault{text: "has text after the closing quotation mark", accepted: "the whole value in single quotes, or in double quotes with \\\" for those inside"}
	}
	if quotation == '\'' {
		s.value = text[:end]
		return nil
	}
	return s.expand(text[:end], known, true)
}

// closing finds the quotation mark that ends a value, or -1.
func closing(text string, quotation byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == quotation:
			return i
		case text[i] == '\\' && quotation == '"':
			i++
		}
	}
	return -1
}

// looksAssigned reports whether a line inside quotation marks looks like the next variable.
func looksAssigned(line string) bool {
	found := regexp.MustCompile(assignment).FindStringSubmatch(line)
	return found != nil && isName(found[1])
}

// unquoted reads a value that ends with its line, or where a comment begins.
func (s *statement) unquoted(rest string, known map[string]string) *fault {
	const quoteIt = "the value in single quotes"
	value, comment, commented := rest, "", false
	if at := regexp.MustCompile(`[ \t]#`).FindStringIndex(rest); at != nil {
		value, comment, commented = rest[:at[0]], strings.TrimLeft(rest[at[1]:], "#"), true
	}
	value = strings.Trim(value, " \t")
	switch r, is := hidden(value); {
	case is && strings.TrimSpace(value) != value:
		// Some readers would cut it off, others would not.
		return &fault{text: fmt.Sprintf("begins or ends with a character that looks like a space and is none (%U)", r), accepted: "the value without it, or in single quotes where it is meant"}
	case strings.HasPrefix(rest, "#"):
		return &fault{text: "has a value that begins with #", accepted: quoteIt + ", or nothing after the equals sign"}
	case commented && comment != "" && comment[0] != ' ' && comment[0] != '\t':
		return &fault{text: "has a # after a space, which would end the value", accepted: quoteIt + ", or, where a comment begins, a space after the # too"}
	case commented && regexp.MustCompile(`[ \t]#`).MatchString(comment):
		return &fault{text: "has a comment with a second # in it", accepted: quoteIt + ", or a comment without #, or on a line of its own"}
	case strings.Contains(value, `"`) && strings.Contains(comment, `"`):
		return &fault{text: "has a # between quotation marks, which would end the value", accepted: quoteIt}
	case strings.Contains(value, `\"`), strings.Contains(value, `\'`):
		return &fault{text: "has a backslash before a quotation mark, which would belong to the value", accepted: quoteIt + ", without backslashes"}
	}
	return s.expand(value, known, false)
}

// expand replaces references, and backslashes: one before a $ always, the others in double quotes only.
func (s *statement) expand(text string, known map[string]string, escapes bool) *fault {
	const literally = "the value in single quotes, where a $ is a $; or ${NAME}, after a line that sets NAME to something. The environment does not count"
	reference := regexp.MustCompile(`^\$(?:\{([A-Z0-9_]+)\}|([A-Z0-9_]+)(?:[^A-Za-z0-9_}]|$))`)
	var value strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && strings.HasPrefix(text[i+1:], "$"):
			i++
			value.WriteByte('$')
		case text[i] == '\\' && escapes:
			replaced, known := map[string]byte{`\\`: '\\', `\"`: '"', `\n`: '\n', `\r`: '\r'}[text[i:i+2]]
			if !known {
				return &fault{text: "has a backslash that changes nothing", accepted: "the value in single quotes, where a backslash is a backslash"}
			}
			i++
			value.WriteByte(replaced)
		case text[i] == '$':
			found := reference.FindStringSubmatch(text[i:])
			if found == nil {
				return &fault{text: "has a $ that begins no reference", accepted: literally}
			}
			name := found[1] + found[2]
			switch replaced, set := known[name]; {
			case !set:
				return &fault{text: "has a $ that refers to a variable which the file does not set before", accepted: literally}
			case replaced == "":
				return &fault{text: "has a $ that refers to a variable which is empty", accepted: literally}
			default:
				value.WriteString(replaced)
			}
			s.uses = append(s.uses, name)
			i += len("$"+name) - 1
			if found[1] != "" {
				i += len("{}")
			}
		default:
			value.WriteByte(text[i])
		}
	}
	s.value = value.String()
	return nil
}

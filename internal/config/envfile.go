package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/joho/godotenv"
)

// acceptedLine says what a line of an env file may contain.
const acceptedLine = "NAME=value, one on each line, values with # or $ or spaces at their ends in single quotes"

// envFile is an env file that was read.
type envFile struct {
	path       string
	statements []statement
	warnings   []string
}

// variables are what the file sets. Where it sets one twice, the last value applies.
func (f *envFile) variables() map[string]string {
	all := map[string]string{}
	for _, s := range f.statements {
		all[s.name] = s.value
	}
	return all
}

// statement is one assignment.
type statement struct {
	name, value string
	line, end   int      // its first and last line, from 1
	uses        []string // the variables of the file that its value refers to
}

// fault is what is wrong with one line of an env file. It never holds a value, which may be a secret.
type fault struct {
	line           int
	name           string // may be empty
	text, accepted string
}

func (f fault) in(path string) error {
	where := fmt.Sprintf("env file %s: line %d", path, f.line)
	if isName(f.name) {
		where += ": " + f.name
	}
	return fmt.Errorf("%s %s; accepted: %s", where, f.text, f.accepted)
}

// isName reports whether text is certainly the name of a variable: in a broken line, a secret may look like one.
func isName(text string) bool {
	return regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`).MatchString(text)
}

// readEnvFile reads an env file. Its error has one line for each thing that is wrong.
//
// godotenv is the usual reader of such files. But it silently accepts lines that were probably not meant: a reference
// to an unset variable becomes nothing, and a value ends before what looks like a comment. A required group would
// become none, or another one. So the file is scanned first, by stricter rules that allow one reading only, and is
// refused where the two readings differ.
func readEnvFile(path string) (*envFile, error) {
	text, err := readSmall(path, os.Open)
	switch {
	case errors.Is(err, errLarge):
		return nil, fmt.Errorf("env file %s %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("env file: %w", err)
	}
	return parseEnvFile(path, text)
}

func parseEnvFile(path string, text []byte) (*envFile, error) {
	if err := notText(text); err != nil {
		return nil, fmt.Errorf("env file %s: %w", path, err)
	}
	lines := splitLines(text)
	statements, faults := scan(lines)
	if len(faults) == 0 {
		faults = differences(lines, statements)
	}
	again, warnings := repeated(path, statements)
	faults = append(faults, again...)
	slices.SortStableFunc(faults, func(a, b fault) int { return a.line - b.line })
	var errs []error
	for _, f := range faults {
		errs = append(errs, f.in(path))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &envFile{path, statements, warnings}, nil
}

// byteOrderMark is the BOM that some editors write before a text.
const byteOrderMark = "\xef\xbb\xbf"

// notText says why a file is not UTF-8 text.
func notText(text []byte) error {
	switch {
	case bytes.IndexByte(text, 0) >= 0, bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return errors.New("it is not UTF-8, but probably UTF-16; save it as UTF-8")
	case !utf8.Valid(text):
		return errors.New("it is not UTF-8; save it as UTF-8")
	}
	return nil
}

// splitLines drops a BOM and the line ends, LF or CRLF.
func splitLines(text []byte) []string {
	plain := strings.TrimPrefix(string(text), byteOrderMark)
	return strings.Split(strings.ReplaceAll(plain, "\r\n", "\n"), "\n")
}

// differences compares with godotenv, and names the first statement that it reads differently.
func differences(lines []string, statements []statement) []fault {
	if agrees(lines, statements) {
		return nil
	}
	for n, s := range statements {
		if !agrees(lines[:s.end], statements[:n+1]) {
			return []fault{{s.line, s.name, "can be read in two ways", "the value in single quotes, with no single quotation mark in it and no backslash at its end"}}
		}
	}
	return []fault{{1, "", "cannot be read", acceptedLine}}
}

func agrees(lines []string, statements []statement) bool {
	theirs, err := godotenv.Unmarshal(strings.Join(lines, "\n"))
	ours := envFile{statements: statements}
	return err == nil && maps.Equal(ours.variables(), theirs)
}

// repeated judges variables that are set twice. The last line applies, as in every reader of such files: people append
// a line to replace an earlier one. But a line that empties the variable is refused: a required group would vanish.
func repeated(path string, statements []statement) (faults []fault, warnings []string) {
	first := map[string]statement{}
	for _, s := range statements {
		before, again := first[s.name]
		first[s.name] = s
		switch {
		case !again:
		case before.value != "" && s.value == "":
			faults = append(faults, fault{s.line, s.name, fmt.Sprintf("is emptied, but line %d sets it", before.line), "one line for each variable"})
		case isName(s.name):
			other := ""
			if before.value != "" && before.value != s.value {
				other = ", to something else,"
			}
			warnings = append(warnings, fmt.Sprintf("env file %s: %s is set on line %d and%s on line %d; line %d applies", path, s.name, before.line, other, s.line, s.line))
		}
	}
	return faults, warnings
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// DefaultEnvFile is read from the working directory when no other file is named.
const DefaultEnvFile = ".env"

// fileSuffix makes the name of the variable that holds a secret's path out of the secret's own.
const fileSuffix = "_FILE"

// maxSecretFile is the largest file that is read for a secret, in bytes.
const maxSecretFile = 64 << 10

// Environ merges the process environment (as of os.Environ) with an env file; what the environment
// sets to something wins. The file named by path must exist when required is set.
func Environ(process []string, path string, required bool) (map[string]string, error) {
	environ, err := readEnvFile(path)
	if err != nil && (required || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	merged := env.ToMap(process)
	maps.DeleteFunc(merged, func(_, value string) bool { return value == "" })
	if environ == nil {
		return merged, nil
	}
	maps.Copy(environ, merged)
	return environ, nil
}

func readEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // G304: the operator chooses the file.
	if err != nil {
		return nil, fmt.Errorf("env file: %w", err)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	environ, err := parseEnv(text)
	if err != nil {
		// The library's error repeats what it could not read, which may be a secret.
		return nil, fmt.Errorf("env file %s: line %d cannot be read; accepted: NAME=value, one a line, values with # or $ or blanks at their ends in single quotes",
			path, brokenLine(text))
	}
	return environ, nil
}

// parseEnv refuses a value without a name, which the library takes.
func parseEnv(text []byte) (map[string]string, error) {
	environ, err := godotenv.UnmarshalBytes(text)
	if _, nameless := environ[""]; nameless {
		return nil, errors.New("a value without a name")
	}
	return environ, err //nolint:wrapcheck // it is never shown
}

// brokenLine finds the line at which a statement begins that cannot be parsed: the one after the
// longest run of whole lines that can.
func brokenLine(text []byte) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for n := len(lines) - 1; n > 0; n-- {
		if _, err := parseEnv(bytes.Join(lines[:n], nil)); err == nil {
			return n + 1
		}
	}
	return 1
}

// resolveFile replaces NAME_FILE by NAME with the file's contents, where f is a secret.
func resolveFile(environ map[string]string, f field) (p Problem, wrong bool) {
	name := f.variable + fileSuffix
	path, given := environ[name]
	if !f.secret || !given {
		return Problem{}, false
	}
	if _, both := environ[f.variable]; both {
		return Problem{f.variable, "given together with " + name, "one of the two"}, true
	}
	text, err := readSecret(path)
	if err != nil {
		return Problem{name, err.Error(), "the path of a file with the secret"}, true
	}
	environ[f.variable] = text
	return Problem{}, false
}

// readSecret reads a secret file; its errors do not show the path, in place of which the secret
// itself may have been given.
func readSecret(path string) (string, error) {
	file, err := os.Open(path) //nolint:gosec // G304: the operator chooses the file.
	if err != nil {
		return "", withoutPath(err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	switch {
	case err != nil:
		return "", withoutPath(err)
	case len(text) > maxSecretFile:
		return "", fmt.Errorf("the file has more than %d bytes", maxSecretFile)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if secret == "" {
		return "", errors.New("the file is empty")
	}
	return secret, nil
}

func withoutPath(err error) error {
	if inPath := (*fs.PathError)(nil); errors.As(err, &inPath) {
		return fmt.Errorf("cannot %s the file: %w", inPath.Op, inPath.Err)
	}
	return errors.New("cannot read the file")
}

// Unknown warns of variables that look like ours but are not among known, and suggests the nearest
// one. Only what is surely a name is quoted: a broken line of an env file makes a secret look like one.
func Unknown(environ map[string]string, known []string) []string {
	ours := regexp.MustCompile(`^(WEBHOOK|JAMF|FILE|MTLS|AUDIT)_`)
	aName := regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		if !ours.MatchString(name) || slices.Contains(known, name) {
			continue
		}
		shown := "a variable that begins with " + ours.FindString(name)
		if aName.MatchString(name) {
			shown = name
		}
		nearest := slices.MinFunc(known, func(a, b string) int {
			return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
		})
		warnings = append(warnings, fmt.Sprintf("%s is not a variable of the connector and is ignored; did you mean %s?", shown, nearest))
	}
	return warnings
}

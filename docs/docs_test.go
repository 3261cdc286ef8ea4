package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/test/repository"
)

func TestMain(m *testing.M) {
	if err := repository.Enter(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// What an operator reads must name what the program has, and nothing else.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	variables := slices.Concat(config.Variables[config.Config](), provider.Variables())
	codes := append(constants(t, "internal/posture", "^(Device|Identifier)[A-Z]"), constants(t, "internal/outcome", "^[A-Z]")...)
	codes = append(codes, constants(t, "internal/posture", "^(Certificate(Missing|Untrusted)|CommonNameMismatch|SANMismatch)$")...)
	// The library writes these three.
	keys := append(constants(t, "internal/audit", "^Key[A-Z]"), "time", "level", "msg")
	targets := matches(t, "Makefile", `(?m)^([a-z0-9-]+):.*## `)

	for name, row := range map[string]struct{ got, want []string }{
		"variables of docs/configuration.md":      {matches(t, "docs/configuration.md", "(?m)^\\| `([A-Z_]+)`"), variables},
		"variables of docs/providers":             {inProviders(t, "(?m)^\\| `([A-Z_]+)`"), provider.Variables()},
		"variables of .env.example":               {matches(t, ".env.example", `(?m)^#?([A-Z_]+)=`), variables},
		"variables of docker/…existing-ca.yml":    {matches(t, "docker/docker-compose.existing-ca.yml", `(?m)^ {6}(?:# )?([A-Z_]+): \S.*$`), variables},
		"codes of README.md":                      {matches(t, "README.md", "(?m)^\\| `([a-z][A-Za-z]+)` \\| \\d"), codes},
		"keys of docs/logging.md":                 {inSection(t, "docs/logging.md", "## Keys", "(?m)^\\| `([a-z_-]+)`"), keys},
		"audit keys of docs/logging.md":           {inSection(t, "docs/logging.md", "## The audit log", "(?m)^\\| `([a-z0-9_]+)`"), slices.Concat(tags(t, "internal/audit/line.go"), tags(t, "internal/audit/chainevent.go"), constants(t, "internal/audit", "^chainKey[A-Z]"))},
		"make commands of README.md and Makefile": {matches(t, "README.md", "(?:(?m)^|`)make ([a-z0-9-]+)"), targets},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, want := sorted(row.got), sorted(row.want)
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("the documentation has %q\nthe product has %q", got, want)
			}
		})
	}
}

// constants returns the values of the string constants of a package whose names match.
func constants(t *testing.T, directory, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(directory + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(pattern)
	var values []string
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || !form.MatchString(spec.Names[0].Name) || len(spec.Values) != 1 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, value)
			}
			return true
		})
	}
	return values
}

// tags returns the names that a struct of a source file has in JSON.
func tags(t *testing.T, path string) []string {
	t.Helper()
	return matches(t, path, "`json:\"([a-z0-9_]+)(?:,omitempty)?\"`")
}

// inSection returns what the first group of a pattern finds between a heading and the next one.
func inSection(t *testing.T, path, heading, pattern string) []string {
	t.Helper()
	_, section, found := strings.Cut(read(t, path), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no %s", path, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var all []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(section, -1) {
		all = append(all, match[1])
	}
	return all
}

// inProviders returns what the first group of a pattern finds in the documents about providers.
func inProviders(t *testing.T, pattern string) []string {
	t.Helper()
	var found []string
	for _, document := range glob(t, "docs/providers/*.md") {
		found = append(found, matches(t, document, pattern)...)
	}
	return found
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

// matches returns what the first group of a pattern finds in a file.
func matches(t *testing.T, path, pattern string) []string {
	t.Helper()
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, path), -1) {
		found = append(found, match[1])
	}
	return found
}

// read returns a file. It opens it by its whole path: go test does not know of the change of the working directory in TestMain, so
// that it would take a result from its cache although the file has changed.
func read(t *testing.T, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sorted(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

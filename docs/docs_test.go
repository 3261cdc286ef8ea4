package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
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
	codes := append(constants(t, "internal/posture", "^(Device|Identifier)[A-Z]"), constants(t, "internal/webhook", "^code[A-Z]")...)
	// The library writes these three.
	keys := append(constants(t, "internal/audit", "^Key[A-Z]"), "time", "level", "msg")
	targets := matches(t, "Makefile", `(?m)^([a-z0-9-]+):.*## `)

	for name, row := range map[string]struct{ got, want []string }{
		"variables of docs/configuration.md":      {matches(t, "docs/configuration.md", "(?m)^\\| `([A-Z_]+)`"), variables},
		"variables of docs/providers":             {inProviders(t, "(?m)^\\| `([A-Z_]+)`"), provider.Variables()},
		"variables of .env.example":               {matches(t, ".env.example", `(?m)^#?([A-Z_]+)=`), variables},
		"variables of docker/…existing-ca.yml":    {matches(t, "docker/docker-compose.existing-ca.yml", `(?m)^ {6}(?:# )?([A-Z_]+): \S.*$`), variables},
		"codes of README.md":                      {matches(t, "README.md", "(?m)^\\| `([a-z][A-Za-z]+)` \\| \\d"), codes},
		"keys of docs/logging.md":                 {inSection(t, "docs/logging.md", "## Keys", "(?m)^\\| `([a-z-]+)`"), keys},
		"audit keys of docs/logging.md":           {inSection(t, "docs/logging.md", "## The audit log", "(?m)^\\| `([a-z_]+)`"), tags(t, "internal/audit/trail.go")},
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

// Of the variables that most need, README.md shows some, but none that is not there.
func TestReadmeVariables(t *testing.T) {
	t.Parallel()
	known := slices.Concat(config.Variables[config.Config](), provider.Variables())
	for _, cell := range matches(t, "README.md", "(?m)^\\| (`[A-Z_]+`[^|]*)\\|") {
		for _, name := range regexp.MustCompile("[A-Z_]{2,}").FindAllString(cell, -1) {
			if !slices.Contains(known, name) {
				t.Errorf("README.md has the variable %s, the product has not", name)
			}
		}
	}
}

// The defaults that operators read are those that the program has.
func TestDefaults(t *testing.T) {
	t.Parallel()
	table := read(t, "docs/configuration.md")
	example := read(t, ".env.example")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		value, has := field.Tag.Lookup("envDefault")
		if !has {
			continue
		}
		if row := "\n| `" + variable + "` | `" + value + "` |"; !strings.Contains(table, row) {
			t.Errorf("docs/configuration.md has no row that begins with %q", row[1:])
		}
		if line := "\n#" + variable + "=" + value + "\n"; !strings.Contains(example, line) {
			t.Errorf(".env.example has no line %q", strings.TrimSpace(line))
		}
	}
}

// .env.example, copied as it is, lacks just what only the operator knows.
func TestEnvExample(t *testing.T) {
	t.Parallel()
	environ, err := config.Environ(nil, ".env.example", true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = daemon.Load(environ)
	if err == nil {
		t.Fatal("daemon.Load accepted .env.example as it is")
	}
	var missing []string
	for line := range strings.Lines(err.Error()) {
		variable, rest, _ := strings.Cut(line, ": ")
		if !strings.HasPrefix(rest, "not set;") {
			t.Errorf("daemon.Load: %s", line)
		}
		missing = append(missing, variable)
	}
	if got, want := sorted(missing), []string{"TLS_CERT_PATH", "TLS_KEY_PATH", "WEBHOOK_IDS", "WEBHOOK_SECRETS"}; !slices.Equal(got, want) {
		t.Errorf("of .env.example are not set: %q, want %q", got, want)
	}

	// Without the # the optional lines hold too: each is the default, or an example of what is accepted.
	optional := regexp.MustCompile(`(?m)^#([A-Z_]+=)`).ReplaceAllString(read(t, ".env.example"), "$1")
	optional = regexp.MustCompile(`(?m)^WEBHOOK_SECRETS_FILE=.*\n`).ReplaceAllString(optional, "")
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, []byte(optional), 0o600); err != nil {
		t.Fatal(err)
	}
	if environ, err = config.Environ(nil, path, true); err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(environ.Variables)
	for _, problem := range problems {
		if !slices.Contains(missing, problem.Variable) {
			t.Errorf("with every optional line of .env.example: %v", problem)
		}
	}
}

// The env file that docs/configuration.md explains is read as it says.
func TestEnvFileOfTheDocumentation(t *testing.T) {
	t.Parallel()
	_, text, found := strings.Cut(read(t, "docs/configuration.md"), "\n## The env file\n\n```sh\n")
	text, _, closed := strings.Cut(text, "```\n")
	if !found || !closed {
		t.Fatal("docs/configuration.md has no example of an env file")
	}
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environ, err := config.Environ(nil, path, true)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"PORT": "9443", "JAMF_COMPUTER_GROUP": "Lab #2, $VIP",
		"ETC": "/etc/step-posture-connector", "TLS_CERT_PATH": "/etc/step-posture-connector/server.crt",
	}
	if !maps.Equal(environ.Variables, want) {
		t.Errorf("the example is read as %q, want %q", environ.Variables, want)
	}
}

// The links between the documents lead somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, document := range slices.Concat(glob(t, "*.md"), glob(t, "docs/*.md"), glob(t, "docs/providers/*.md")) {
		for _, link := range matches(t, document, `\]\(([^)]+)\)`) {
			target, anchor, _ := strings.Cut(link, "#")
			if strings.HasPrefix(link, "https://") {
				continue
			}
			path := document
			if target != "" {
				path = filepath.Join(filepath.Dir(document), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s: %v", document, link, err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(t, path), anchor) {
				t.Errorf("%s links to %s: no such heading", document, link)
			}
		}
	}
}

// docs/architecture.md names only functions and types that exist, and has every package in its tree.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	const page = "docs/architecture.md"
	quoted := regexp.MustCompile("`([^`]+)`")
	identifier := regexp.MustCompile(`^[A-Za-z.]+$`)
	steps := 0
	for _, row := range inSection(t, page, "## Begin here", "(?m)^\\| .+ \\| (.*`.* \\| `.+`) \\|$") {
		names, in, _ := strings.Cut(row, " | ")
		var sources strings.Builder
		for _, file := range quoted.FindAllStringSubmatch(in, -1) {
			sources.WriteString(read(t, file[1]))
			steps++
		}
		for _, name := range quoted.FindAllStringSubmatch(names, -1) {
			pattern := regexp.QuoteMeta(name[1])
			if identifier.MatchString(name[1]) {
				pattern = `(?m)^(type|func( \(.+\))?) ` + name[1][strings.LastIndex(name[1], ".")+1:] + `\b`
			}
			if !regexp.MustCompile(pattern).MatchString(sources.String()) {
				t.Errorf("%s names %s, which is not in %s", page, name[1], in)
			}
		}
	}
	if steps == 0 {
		t.Errorf("%s names nothing to begin with", page)
	}

	tree := inSection(t, page, "## Tree", `(?m)^ +([a-z0-9]+) `)
	for _, source := range slices.Concat(glob(t, "internal/*/*.go"), glob(t, "internal/provider/*/*.go"), glob(t, "internal/test/*/*.go")) {
		if folder := filepath.Base(filepath.Dir(source)); !slices.Contains(tree, folder) {
			t.Errorf("the tree of %s lacks %s", page, filepath.Dir(source))
		}
	}
}

// anchors are the names by which the headings of a document can be linked to.
func anchors(t *testing.T, path string) []string {
	t.Helper()
	var found []string
	for _, heading := range matches(t, path, `(?m)^#+ (.+)$`) {
		heading = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading), "")
		found = append(found, strings.ReplaceAll(heading, " ", "-"))
	}
	return found
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
	return matches(t, path, "`json:\"([a-z_]+)\"`")
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

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sorted(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(words)))
}

package docs_test

import (
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

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

// The arrows of docs/architecture.md are the imports, except for packages that only tests use.
func TestArrows(t *testing.T) {
	t.Parallel()
	const page = "docs/architecture.md"
	drawn, arrow := map[string][]string{}, regexp.MustCompile(`([A-Za-z/, ]+?) +→ (.+?)(?:   |$)`)
	for _, line := range inSection(t, page, "## Arrows", `(?m)^(.+ → .+)$`) {
		for _, match := range arrow.FindAllStringSubmatch(line, -1) {
			for name := range strings.SplitSeq(match[1], ", ") {
				drawn[strings.TrimSpace(name)] = strings.Split(match[2], ", ")
			}
		}
	}
	providers := map[string]bool{} // what any of them imports
	for _, folder := range glob(t, "internal/*") {
		for name, imported := range importsBelow(t, strings.TrimPrefix(folder, "internal/")) {
			switch {
			case name == "daemon": // imports every package
				continue
			case drawn[name] == nil && strings.HasPrefix(name, "provider/"):
				maps.Copy(providers, imported)
				continue
			case name == "provider": // "each provider/NAME"
				maps.DeleteFunc(imported, func(i string, _ bool) bool { return strings.HasPrefix(i, "provider/") })
			}
			imports := slices.Sorted(maps.Keys(imported))
			want := slices.DeleteFunc(slices.Sorted(slices.Values(drawn[name])), func(i string) bool { return strings.Contains(i, " ") })
			if drawn[name] == nil || !slices.Equal(imports, want) {
				t.Errorf("%s imports %q, and %s draws %q", name, imports, page, want)
			}
		}
	}
	if imports, want := slices.Sorted(maps.Keys(providers)), slices.Sorted(slices.Values(drawn["provider/NAME"])); !slices.Equal(imports, want) {
		t.Errorf("providers import %q, and %s draws %q", imports, page, want)
	}
}

// importsBelow returns what the package in a folder of internal, and each package right below it, imports of ours. Packages
// for tests are left out.
func importsBelow(t *testing.T, folder string) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	sources, err := filepath.Glob("internal/" + folder + "/*.go")
	more, errMore := filepath.Glob("internal/" + folder + "/*/*.go")
	if err != nil || errMore != nil {
		t.Fatal(err, errMore)
	}
	for _, source := range append(sources, more...) {
		name := strings.TrimPrefix(filepath.Dir(source), "internal/")
		if strings.HasSuffix(source, "_test.go") || strings.HasPrefix(name, "test/") || name == "provider/providertest" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		if all[name] == nil {
			all[name] = map[string]bool{}
		}
		for _, i := range file.Imports {
			if ours, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "step-posture-connector/internal/"); ok {
				all[name][ours] = true
			}
		}
	}
	return all
}

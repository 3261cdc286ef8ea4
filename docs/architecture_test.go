package docs_test

import (
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

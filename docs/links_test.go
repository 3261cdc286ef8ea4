package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The links between the documents lead somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, document := range slices.Concat(glob(t, "*.md"), glob(t, "docs/*.md"), glob(t, "docs/doors/*.md"), glob(t, "docs/kubernetes/*.md"), glob(t, "docs/kubernetes/*/*.md"), glob(t, "docs/providers/*.md"), glob(t, "docs/provisioners/*.md")) {
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

// The table of provisioners leads to every page of them.
func TestPagesOfProvisioners(t *testing.T) {
	t.Parallel()
	const table = "docs/provisioners/README.md"
	linked := matches(t, table, `\]\(([a-z0-9]+\.md)\)`)
	for _, page := range glob(t, "docs/provisioners/*.md") {
		if page != table && !slices.Contains(linked, filepath.Base(page)) {
			t.Errorf("%s does not link to %s", table, page)
		}
	}
}

// anchors are the names of the headings of a document in links.
func anchors(t *testing.T, path string) []string {
	t.Helper()
	var found []string
	for _, heading := range matches(t, path, `(?m)^#+ (.+)$`) {
		heading = regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading), "")
		found = append(found, strings.ReplaceAll(heading, " ", "-"))
	}
	return found
}

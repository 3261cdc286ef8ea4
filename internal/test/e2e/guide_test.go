package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guide is the text of a page about a provider. Tests take from it what an operator copies.
type guide struct{ name, text string }

// readGuide reads a page of docs/providers.
func readGuide(t *testing.T, l *lab, name string) guide {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.programs.Repository(), "docs", "providers", name))
	if err != nil {
		t.Fatal(err)
	}
	return guide{name, string(text)}
}

// block returns the first block of code of a language behind a text of the page.
func (g guide) block(t *testing.T, after, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(g.text, after)
	match := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindStringSubmatch(rest)
	if !found || match == nil {
		t.Fatalf("docs/providers/%s has no block of %q behind %q", g.name, language, after)
	}
	return match[1]
}

// replaceOnce puts what the test has in the place of examples, each of which must be in the text exactly once.
func replaceOnce(t *testing.T, text string, examples map[string]string) string {
	t.Helper()
	for example, ours := range examples {
		if strings.Count(text, example) != 1 {
			t.Fatalf("the text of the page has not exactly one %s:\n%s", example, text)
		}
		text = strings.ReplaceAll(text, example, ours)
	}
	return text
}

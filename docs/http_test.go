package docs_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson"
	"step-posture-connector/internal/provider/httpjson/expression"
)

const httpPage = "docs/providers/http.md"

// Every block of YAML on the page is a policy file that loads without a warning and whose tests pass.
func TestPoliciesOfTheHTTPPage(t *testing.T) {
	t.Parallel()
	blocks := matches(t, httpPage, "(?ms)^```ya?ml\n(.*?)^```$")
	if len(blocks) < 5 || strings.Count(read(t, httpPage), "```y") > len(blocks) {
		t.Fatalf("of %s, %d policy files are run", httpPage, len(blocks))
	}
	for i, block := range blocks {
		results, warnings, err := testPoliciesAlone(t, block)
		if err != nil {
			t.Errorf("block %d: %v", i, err)
		}
		if len(warnings) > 0 {
			t.Errorf("block %d: %q", i, warnings)
		}
		for _, difference := range results {
			t.Errorf("block %d: %s", i, difference)
		}
	}
}

// testPoliciesAlone runs the tests of a policy file beside an environment without an inventory. It returns what differs.
func testPoliciesAlone(t *testing.T, content string) (differences, warnings []string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "posture.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	results, warnings, err := daemon.TestPolicies(path, config.Environment{})
	for _, r := range results {
		if len(r.Differences) > 0 {
			differences = append(differences, "policy "+r.Policy+", test "+r.Test.Name+": "+strings.Join(r.Differences, "; "))
		}
	}
	return differences, warnings, err
}

// The tables of keys have those of the section, with their defaults, and no others.
func TestKeysOfTheHTTPPage(t *testing.T) {
	t.Parallel()
	var want []string
	var walk func(prefix string, s *document.Shape)
	walk = func(prefix string, s *document.Shape) {
		for _, k := range s.Keys {
			if k.Name == "preset" || prefix != "list.request." && prefix != "map." {
				want = append(want, prefix+k.Name)
			}
			if slices.Contains([]string{"request", "outcome", "select", "limits", "list"}, k.Name) && prefix == "" {
				walk(k.Name+".", k.Shape)
			}
		}
	}
	walk("", new(httpjson.Config).SectionShape())
	// Parts that have their own section or table under the name of the whole.
	want = slices.DeleteFunc(want, func(name string) bool { return name == "select" || name == "outcome" })
	got := matches(t, httpPage, "(?m)^\\| `([a-z_]+(?:\\.[a-z_]+)?)` \\| ")
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("no table of the page has the key %s", name)
		}
	}
}

// The table of presets has those that there are, in the page's own sections.
func TestPresetsOfTheHTTPPage(t *testing.T) {
	t.Parallel()
	got := inSection(t, httpPage, "## Presets", "(?m)^\\| `([a-z]+@\\d+)`")
	slices.Sort(got)
	if want := httpjson.Presets(); !slices.Equal(got, want) {
		t.Errorf("the page has the presets %q, want %q", got, want)
	}
	for _, target := range inSection(t, httpPage, "## Presets", `(?m)^\| .*?\]\(#([a-z-]+)\)`) {
		heading := regexp.MustCompile(`(?mi)^### ` + strings.ReplaceAll(target, "-", "[ -]") + `$`)
		if !heading.MatchString(read(t, httpPage)) {
			t.Errorf("the page has no section %s", target)
		}
	}
}

// The variables of expressions are those that the program has.
func TestVariablesOfTheHTTPPage(t *testing.T) {
	t.Parallel()
	got := inSection(t, httpPage, "## Expressions", "(?m)^\\| `([a-z]+)` \\|")
	for _, want := range []string{expression.Body, expression.Status, expression.JSON, expression.Text, expression.Asked, expression.Vars, expression.Item, expression.Seen} {
		if !slices.Contains(got, want) {
			t.Errorf("the page lacks the variable %s, it has %q", want, got)
		}
	}
	scope, err := expression.NewScope(got...)
	if err != nil {
		t.Fatal(err)
	}
	// The examples in code that name a function or a member are accepted.
	tried := 0
	for _, code := range inSection(t, httpPage, "## Expressions", "`([^`\n]+)`") {
		if !strings.Contains(code, "item.") || strings.Contains(code, "f(x)") {
			continue
		}
		tried++
		if _, faults := scope.Compile(code, expression.AnyKind); len(faults) > 0 {
			t.Errorf("%s: %v", code, faults)
		}
	}
	if tried < 3 {
		t.Errorf("%d examples of expressions were tried", tried)
	}
}

// A fact that the page maps is one of the vocabulary.
func TestFactsOfTheHTTPPage(t *testing.T) {
	t.Parallel()
	var known []string
	for _, d := range posture.Vocabulary() {
		known = append(known, d.Name)
	}
	for _, name := range matches(t, httpPage, `(?m)\b((?:device|user)\.[a-z_]+)\b`) {
		if !slices.Contains(known, name) {
			t.Errorf("the page names %s, which is no fact", name)
		}
	}
}

// The example of "lookup --sample" prints what the page says, and so do the answers that must not pass.
func TestSampleOfTheHTTPPage(t *testing.T) {
	t.Parallel()
	page := read(t, httpPage)
	folder := t.TempDir()
	policies := filepath.Join(folder, "posture.yaml")
	answer := matches(t, httpPage, "(?ms)^```json\n(.*?)^```$")[0]
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(policies, matches(t, httpPage, "(?ms)^```ya?ml\n(.*?)^```$")[1])
	lookup := func(identifier, answer, status string) (int, string) {
		sample := filepath.Join(folder, "answer.json")
		write(sample, answer)
		var out strings.Builder
		code := command.Run(t.Context(), command.Process{
			Args:    []string{"lookup", identifier, "--inventory", "assets", "--sample", sample, "--status", status},
			Environ: []string{"POLICY_PATH=" + policies}, Stdout: &out, Stderr: io.Discard,
		})
		return code, out.String()
	}
	code, got := lookup("C02XK1ABJHD2", answer, "200")
	_, section, _ := strings.Cut(page, "\n## Try a mapping without the service\n")
	_, want, _ := strings.Cut(section, "```text\n")
	if want, _, _ = strings.Cut(want, "```"); code != 0 || got != want {
		t.Errorf("exit %d, the program prints\n%s\nthe page has\n%s", code, got, want)
	}
	rows := regexp.MustCompile("(?m)^\\| (.*?) \\| (\\d+) \\| `(\\w+)` \\| (\\d).*?`(?:[^`]*?; )?([^`;]*)` \\|$").FindAllStringSubmatch(section, -1)
	if len(rows) != 3 {
		t.Fatalf("there are %d answers that must not pass", len(rows))
	}
	for _, row := range rows {
		body := strings.Trim(row[1], "`")
		if strings.HasPrefix(body, "the one above") {
			body = strings.ReplaceAll(answer, `"laptop, Berlin"`, map[bool]string{true: `["laptop", "Berlin"]`, false: `"laptop, Berlin"`}[strings.Contains(body, "labels")])
		}
		if code, got := lookup(row[3], body, row[2]); strconv.Itoa(code) != row[4] || !strings.Contains(got, row[5]) {
			t.Errorf("%s: exit %d, want %s and %q in\n%s", row[1], code, row[4], row[5], got)
		}
	}
}

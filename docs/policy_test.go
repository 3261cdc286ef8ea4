package docs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
)

// Every policy file in the documents is loaded as an operator's would be, and its tests are run. A block of YAML that is no
// policy file has no place there: no test would notice that it is wrong.
func TestPoliciesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"docs/policy.md", "docs/cookbook.md", "docker/posture.yaml", "docs/systemd/posture.yaml"} {
		blocks := []string{read(t, document)}
		if strings.HasSuffix(document, ".md") {
			blocks = matches(t, document, "(?ms)^```ya?ml\n(.*?)^```$")
		}
		for i, block := range blocks {
			t.Run(fmt.Sprintf("%s block %d", document, i), func(t *testing.T) {
				t.Parallel()
				runPolicies(t, block)
			})
		}
		if len(blocks) == 0 || strings.Count(read(t, document), "```y") > len(blocks) {
			t.Errorf("of %s, %d policy files are run", document, len(blocks))
		}
	}
}

// The policy files of the pages of providers are accepted beside an environment that has no inventory. Each page has one, except
// those that have only parts of one, or a test of their own.
func TestPoliciesOfProviders(t *testing.T) {
	t.Parallel()
	runPages(t, "docs/providers/*.md", "README.md", "file.md", "http.md", "jamf.md")
}

// The same of the pages of provisioners. That of AWS has the policy of another page.
func TestPoliciesOfProvisioners(t *testing.T) {
	t.Parallel()
	runPages(t, "docs/provisioners/*.md", "README.md", "aws.md")
}

// The same of the page about enrolment tokens.
func TestPoliciesOfEnrolment(t *testing.T) {
	t.Parallel()
	runPages(t, "docs/enrolment.md")
}

// runPages loads the policy files of pages, each of which has one, without a warning, and runs their tests.
func runPages(t *testing.T, pattern string, without ...string) {
	t.Helper()
	for _, document := range glob(t, pattern) {
		if slices.Contains(without, filepath.Base(document)) {
			continue
		}
		blocks := matches(t, document, "(?ms)^```ya?ml\n(.*?)^```$")
		for _, block := range blocks {
			path := filepath.Join(t.TempDir(), "posture.yaml")
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			results, warnings, err := daemon.TestPolicies(path, config.Environment{})
			if err != nil || len(warnings) > 0 || len(results) == 0 {
				t.Errorf("%s: %d tests were run, with the warnings %q, %v", document, len(results), warnings, err)
			}
			for _, r := range results {
				if len(r.Differences) > 0 {
					t.Errorf("%s: test %q: %s", document, r.Test.Name, strings.Join(r.Differences, "; "))
				}
			}
		}
		if len(blocks) == 0 || strings.Count(read(t, document), "```y") > len(blocks) {
			t.Errorf("of %s, %d policy files are run", document, len(blocks))
		}
	}
}

// runPolicies loads a policy file without a warning, and runs its tests, which must exist.
func runPolicies(t *testing.T, content string) {
	t.Helper()
	results, warnings, err := testPolicies(t, content)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 || len(warnings) > 0 {
		t.Errorf("%d tests were run, with the warnings %q", len(results), warnings)
	}
	for _, r := range results {
		if len(r.Differences) > 0 {
			t.Errorf("policy %s, test %q: %s", r.Policy, r.Test.Name, strings.Join(r.Differences, "; "))
		}
	}
}

// testPolicies is the command "policy test", beside an environment that has the inventory jamf.
func testPolicies(t *testing.T, content string) (results []policyfile.Result, warnings []string, err error) {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "posture.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	results, warnings, err = daemon.TestPolicies(path, config.Environment{Variables: map[string]string{"PROVIDER": "jamf"}})
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), folder+"/", ""))
	}
	return results, warnings, err
}

// The table of results says what the program does.
func TestResultsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, "docs/policy.md"), "\n## Met, unmet, unknown\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([a-z, ]+) \\| (met|unmet|unknown)\\b").FindAllStringSubmatch(table, -1)
	if len(rows) < 8 {
		t.Fatalf("the table of results has %d rows", len(rows))
	}
	expected := map[string]string{"met": "unmet: [], unknown: []", "unmet": "unmet: [rule], unknown: []", "unknown": "unmet: [rule], unknown: [rule]"}
	for _, row := range rows {
		// The values are those of the facts in the order in which the expression names them.
		values, seen, known := strings.Split(row[2], ", "), []string{}, []string{}
		for _, fact := range regexp.MustCompile(`device\.(\w+)`).FindAllStringSubmatch(row[1], -1) {
			if slices.Contains(seen, fact[1]) {
				continue
			}
			if value := values[len(seen)]; value != "unknown" {
				known = append(known, fact[1]+": "+value)
			}
			seen = append(seen, fact[1])
		}
		runPolicies(t, ruleOf("rule", row[1])+fmt.Sprintf("    tests:\n      - {name: row, device: {%s}, %s}\n", strings.Join(known, ", "), expected[row[3]]))
	}
}

// ruleOf is the beginning of a policy file, up to a rule with an expression that is in a table of a document.
func ruleOf(name, expression string) string {
	return fmt.Sprintf("policies:\n  default:\n    rules:\n      - {name: %s, require: '%s'}\n", name, strings.ReplaceAll(expression, `\|`, "|"))
}

// The examples of expressions are accepted.
func TestExpressionsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, "docs/policy.md"), "\n### Expressions\n")
	section, _, _ = strings.Cut(section, "\nPut an expression into single quotes")
	tried := 0
	for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(section, -1) {
		if !strings.Contains(code[1], "device") && !strings.Contains(code[1], "now") {
			continue // an operator
		}
		tried++
		if _, _, err := testPolicies(t, ruleOf("example", code[1])); err != nil {
			t.Error(err)
		}
	}
	if tried < 10 {
		t.Errorf("there are %d examples of expressions", tried)
	}
}

// The example of a fault is what the program says about the first file of the page with that mistake.
func TestFaultOfTheDocumentation(t *testing.T) {
	t.Parallel()
	first := matches(t, "docs/policy.md", "(?ms)^```yaml\n(.*?)^```$")[0]
	_, _, err := testPolicies(t, strings.Replace(first, "last_seen >", "last_sen >", 1))
	if want := matches(t, "docs/policy.md", "(?ms)^```text\n(.*?)\n```$")[0]; err == nil || err.Error() != want {
		t.Errorf("the program says\n%v\nthe page\n%s", err, want)
	}
}

// The example of a reason is that of the first file of the page, at another time.
func TestReasonOfTheDocumentation(t *testing.T) {
	t.Parallel()
	first := matches(t, "docs/policy.md", "(?ms)^```yaml\n(.*?)^```$")[0]
	results, _, err := testPolicies(t, strings.Replace(first, "30d ago}, allow: false", "30d ago}, allow: true", 1))
	if err != nil {
		t.Fatal(err)
	}
	differences := strings.Join(results[1].Differences, "; ")
	anyTime := regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:]+Z`)
	want := anyTime.ReplaceAllString(matches(t, "docs/policy.md", `reason="(rule [^"]*)"`)[0], "TIME")
	if got := anyTime.ReplaceAllString(differences, "TIME"); !strings.HasSuffix(got, "; "+want) {
		t.Errorf("the program says %q, the page %q", got, want)
	}
}

// Each of the ten recipes shows a device that passes, one that does not, and one about which a fact is unknown.
func TestCookbook(t *testing.T) {
	t.Parallel()
	recipes := matches(t, "docs/cookbook.md", "(?ms)^## \\d+\\. [^\n]*\n(.*?)^```$")
	if len(recipes) != 10 {
		t.Errorf("there are %d recipes, want 10", len(recipes))
	}
	for i, recipe := range recipes {
		for _, want := range []string{`allow: true`, `unmet: \[\w|would_deny: \[\w|code: \w`, `unknown: \[\w`} {
			_, tests, _ := strings.Cut(recipe, "    tests:\n")
			if !regexp.MustCompile(want).MatchString(tests) {
				t.Errorf("the tests of recipe %d have no %s", i+1, want)
			}
		}
	}
}

// The table of facts has the vocabulary, with its types and words, in its order.
func TestFactsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	names := map[posture.FactType]string{
		posture.TextFact: "text", posture.BoolFact: "true or false", posture.VersionFact: "version", posture.TimeFact: "time",
		posture.ListFact: "list of texts", posture.AttributesFact: "texts by name",
	}
	var want []string
	for _, d := range posture.Vocabulary() {
		row := "| `" + d.Name + "` | " + names[d.Type]
		if d.Words != nil {
			row += ": `" + strings.Join(d.Words, "` `") + "`"
		}
		want = append(want, row+" |")
	}
	if got := inSection(t, "docs/policy.md", "## Facts", "(?m)^(\\| `(?:device|user)\\.\\w+` \\| [^|]+ \\|)"); !slices.Equal(got, want) {
		t.Errorf("docs/policy.md has the facts\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

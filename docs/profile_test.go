package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/profile"
)

// docs/profile.md shows what the command prints, and has the variable of each MDM.
func TestProfilePage(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/profile.md")
	env := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(env, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if code := command.Run(t.Context(), command.Process{
		Args:   []string{"profile", "--ca-url", "https://ca.example.com", "--provisioner", "acme", "--mdm", "jamf", "--env-file", env},
		Stdout: &out, Stderr: &errs,
	}); code != command.ExitOK {
		t.Fatalf("exit status %d: %s", code, errs.String())
	}
	if !strings.Contains(page, "\n```xml\n"+out.String()+"```\n") {
		t.Errorf("the page does not have the profile\n%s", out.String())
	}
	notes, _, _ := strings.Cut(errs.String(), "no --root: ")
	if !strings.Contains(page, "\n```text\n"+notes+"```\n") {
		t.Errorf("the page does not have the notes\n%s", notes)
	}
	rows := matches(t, "docs/profile.md", "(?m)^(\\| `[a-z]+` \\| `[^`]+` \\| .*)$")
	all := profile.MDMs()
	if len(rows) != len(all) {
		t.Fatalf("the table has %d rows, want %d", len(rows), len(all))
	}
	for i, m := range all {
		cells := strings.Split(rows[i], " | ")
		if cells[0] != "| `"+m.Name+"`" || cells[1] != "`"+m.Variable+"`" || strings.Contains(rows[i], "**not verified**") == m.Verified {
			t.Errorf("the row of %s is %s", m.Name, rows[i])
		}
	}
}

// The page of each MDM has the command for it, its variable, and whether that is verified.
func TestProfilesOfProviders(t *testing.T) {
	t.Parallel()
	for _, m := range profile.MDMs() {
		page := "docs/providers/" + m.Name + ".md"
		if m.Name == "simplemdm" {
			page = "docs/providers/http.md" // a preset
		}
		text := read(t, page)
		at := strings.Index(text, "--mdm "+m.Name+" > acme.mobileconfig")
		if at < 0 || !strings.Contains(text, "`"+m.Variable+"`") {
			t.Fatalf("%s lacks the command, or the variable %s", page, m.Variable)
		}
		section, _, _ := strings.Cut(text[at:], "\n## ")
		section, _, _ = strings.Cut(section, "\n### ")
		if doubted := strings.Contains(strings.ReplaceAll(section, "\n", " "), "not verified"); doubted == m.Verified {
			t.Errorf("%s says that the variable is not verified: %v, the command: %v", page, doubted, !m.Verified)
		}
	}
}

// The pages of MDMs, which one administrator may compare, have the same headings in the same order.
func TestHeadingsOfProviders(t *testing.T) {
	t.Parallel()
	var first []string
	for _, name := range []string{"addigy", "apple_business", "fleet", "intune", "iru", "mosyle"} {
		got := matches(t, "docs/providers/"+name+".md", `(?m)^## (.+)$`)
		got = got[1:] // what is set up at the vendor has a heading of its own
		if first == nil {
			first = got
		}
		if !slices.Equal(got, first) {
			t.Errorf("the page of %s has the headings %q, want %q", name, got, first)
		}
	}
}

// The page has each flag of the command.
func TestFlagsOfProfile(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	command.Run(t.Context(), command.Process{Args: []string{"profile", "--help"}, Stdout: &out, Stderr: &out})
	var want []string
	for line := range strings.Lines(out.String()) {
		if flag, ok := strings.CutPrefix(line, "      --"); ok && !strings.HasPrefix(flag, "env-file") {
			name, _, _ := strings.Cut(flag, " ")
			want = append(want, name)
		}
	}
	if got := matches(t, "docs/profile.md", "(?m)^\\| `--([a-z-]+)` \\| [^`]"); len(want) == 0 || !slices.Equal(got, slices.DeleteFunc(want, func(name string) bool { return name == "help" })) {
		t.Errorf("the page has the flags %q, the command %q", got, want)
	}
}

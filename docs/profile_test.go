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

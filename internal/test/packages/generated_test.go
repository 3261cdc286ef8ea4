package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider"
)

func TestPackageVersion(t *testing.T) {
	t.Parallel()
	for described, want := range map[string]string{
		"v1.2.3":                      "1.2.3",
		"1.2.3":                       "1.2.3",
		"v1.2.3-rc1":                  "1.2.3~rc1",
		"v1.2.3-rc.1-4-g0123abc":      "1.2.3~rc.1+4.g0123abc",
		"v1.2.3-4-g0123abc-dirty":     "1.2.3+4.g0123abc.dirty",
		"v1.2.3-dirty":                "1.2.3+dirty",
		"0123abc":                     "0.0.0+g0123abc",
		"0123abc-dirty":               "0.0.0+g0123abc.dirty",
		"":                            "",
		"development":                 "",
		"v1.2":                        "",
		"v1.2.3-4":                    "",
		"v1.2.3; rm -rf /":            "",
		"v1.2.3-rc1-rc2-4-g0123abc-x": "",
	} {
		got, err := packageVersion(described)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("packageVersion(%q) = %q, %v, want %q", described, got, err, want)
		}
	}
}

func someBuild() build {
	return build{"1.2.3", time.Unix(1700000000, 0).UTC(), "Somebody <a@example.org>"}
}

// All files are made, the same ones each time, with the time of the commit.
func TestWrite(t *testing.T) {
	t.Parallel()
	var before map[string]string
	for range 2 {
		out := t.TempDir()
		if err := write(out, someBuild()); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		err := filepath.WalkDir(out, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if !info.ModTime().Equal(someBuild().at) {
				t.Errorf("%s has the time %s", path, info.ModTime())
			}
			text, err := os.ReadFile(path) //nolint:gosec // The folder was made here.
			files[strings.TrimPrefix(path, out)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range files {
			if before != nil && before[path] != text {
				t.Errorf("%s is made otherwise the second time", path)
			}
			if strings.HasSuffix(path, ".gz") {
				packed, err := gzip.NewReader(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				if plain, err := io.ReadAll(packed); err != nil || len(plain) == 0 {
					t.Errorf("%s has %d bytes, %v", path, len(plain), err)
				}
			}
		}
		if files["/docs/docs/systemd.md"] == "" || files["/docs/README.md"] == "" || files["/completion.zsh"] == "" {
			t.Errorf("documents or completions are missing: %d files", len(files))
		}
		before = files
	}
}

// Whoever builds with another umask makes the same packages.
func TestSettle(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	want := map[string]os.FileMode{out: os.ModeDir | 0o755, filepath.Join(out, "docs"): os.ModeDir | 0o755, filepath.Join(out, "docs", "page.md"): 0o644}
	if err := os.MkdirAll(filepath.Join(out, "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "docs", "page.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := settle(out, someBuild().at); err != nil {
		t.Fatal(err)
	}
	for path, mode := range want {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode || !info.ModTime().Equal(someBuild().at) {
			t.Errorf("%s has the mode %s and the time %s, want %s and %s", path, info.Mode(), info.ModTime(), mode, someBuild().at)
		}
	}
}

// What the environment file sets is only where things are. Nothing of it lets a device in, and nothing is a secret.
func TestEnvironmentFile(t *testing.T) {
	t.Parallel()
	text, err := environmentFile(someBuild())
	if err != nil {
		t.Fatal(err)
	}
	set := regexp.MustCompile(`(?m)^[^#\n].*$`).FindAllString(string(text), -1)
	want := []string{
		"PROVIDER=file", "FILE_PATH=" + folder + "/devices.csv", "FILE_TYPE=csv", "POLICY_PATH=" + folder + "/posture.yaml",
		"TLS_CERT_PATH=" + folder + "/server.crt", "TLS_KEY_PATH=" + folder + "/server.key", "WEBHOOK_IDS=",
	}
	if !slices.Equal(set, want) {
		t.Errorf("the environment file sets %q, want %q", set, want)
	}
}

// The packaged unit differs from the one of docs/systemd by where the program and the document are.
func TestUnit(t *testing.T) {
	t.Parallel()
	made, err := unit(someBuild())
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("docs/systemd/" + name + ".service")
	if err != nil {
		t.Fatal(err)
	}
	var changed []string
	lines := strings.Split(string(source), "\n")
	for i, line := range strings.Split(string(made), "\n") {
		if i >= len(lines) || line != lines[i] {
			changed = append(changed, line)
		}
	}
	want := []string{"# /usr/share/doc/" + name + "/docs/systemd.md says how to install it.", "ExecStart=/usr/bin/" + name + " serve"}
	if !slices.Equal(changed, want) {
		t.Errorf("the unit differs by %q, want %q", changed, want)
	}
}

// A file that is not as expected must not be packaged as if it were.
func TestEdited(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"nothing of it", "old and old"} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := edited(path, "old", "new"); err == nil {
			t.Errorf("edited(%q) = %q, want an error", text, got)
		}
	}
}

// The man page has every command, every flag and every variable.
func TestManual(t *testing.T) {
	t.Parallel()
	page, err := manual(someBuild())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`\-`, "-", `\fB`, "", `\fI`, "", `\fP`, "", `\e`, `\`).Replace(string(page))
	want := slices.Concat(config.Variables[config.Config](), provider.Variables())
	var add func(*cobra.Command)
	add = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return
		}
		if c.HasParent() && !c.HasAvailableSubCommands() {
			want = append(want, `.SS "`+strings.TrimPrefix(c.CommandPath(), name+" ")+`"`)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { want = append(want, "--"+f.Name) })
		for _, child := range c.Commands() {
			add(child)
		}
	}
	add(command.Tree())
	if len(want) < 100 {
		t.Fatalf("only %d commands, flags and variables", len(want))
	}
	for _, word := range want {
		if !strings.Contains(text, "\n"+word) {
			t.Errorf("the man page lacks %q", word)
		}
	}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "'") {
			t.Errorf("%q would be a request", line)
		}
	}
}

// A module without a license stops the build.
func TestNotices(t *testing.T) {
	t.Parallel()
	if err := notices(nil, "example.org/module v1.0.0", t.TempDir()); err == nil || !strings.Contains(err.Error(), "example.org/module v1.0.0") {
		t.Errorf("a module without a license: %v", err)
	}
}

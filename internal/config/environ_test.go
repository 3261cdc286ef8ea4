package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMissingEnvFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "none.env")
	got, err := config.Environ([]string{"A=1"}, path, false)
	if err != nil || !maps.Equal(got.Variables, map[string]string{"A": "1"}) {
		t.Errorf("Environ without the default file = %q, %v, want the environment", got.Variables, err)
	}
	if want := "there is no none.env in " + folder + "; copy .env.example to it, or name another file with --env-file or ENV_FILE"; got.Hint() != want {
		t.Errorf("Hint() = %q, want %q", got.Hint(), want)
	}
	if _, err = config.Environ([]string{"A=1"}, path, true); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Environ without a file that was asked for = %v, want an error that names %s", err, path)
	}
	if _, err = config.Environ(nil, folder, false); err == nil {
		t.Error("Environ accepted a folder as env file")
	}
}

// TestEnvFileOfAVariable: ENV_FILE names the file, and --env-file overrides it.
func TestEnvFileOfAVariable(t *testing.T) {
	t.Parallel()
	one, two := written(t, "one.env", "A=one\n"), written(t, "two.env", "A=two\n")
	none := filepath.Join(t.TempDir(), "none.env")
	for name, test := range map[string]struct {
		variable, path string
		required       bool
		want           string
	}{
		"in place of the default": {one, two, false, "one"},
		"the flag overrides it":   {one, two, true, "two"},
		"empty":                   {"", two, false, "two"},
	} {
		got, err := config.Environ([]string{"ENV_FILE=" + test.variable}, test.path, test.required)
		if err != nil || got.Variables["A"] != test.want || got.Hint() != "" {
			t.Errorf("%s: A is %q, %v, want %s", name, got.Variables["A"], err, test.want)
		}
	}
	want := "ENV_FILE: env file: open " + none + ": no such file or directory"
	if _, err := config.Environ([]string{"ENV_FILE=" + none}, one, false); err == nil || err.Error() != want {
		t.Errorf("Environ with ENV_FILE of no file = %v, want %s", err, want)
	}
}

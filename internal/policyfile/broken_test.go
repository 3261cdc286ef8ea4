package policyfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

// surrounded puts the files that the files of testdata refer to into a folder, with a policy file, and returns its path.
func surrounded(t testing.TB, content string) (path string, s policyfile.Surroundings) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"posture.yaml": content, "secret": "hunter2\n", "webhook": secretOf('a') + "\n", "bearer": secretOf('B') + "\n", "two": secretOf('b') + "\n" + secretOf('c'), "empty": ""} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var same config.Secrets
	if err := same.UnmarshalText([]byte(secretOf('s'))); err != nil {
		t.Fatal(err)
	}
	s = policyfile.Surroundings{
		Environ:        map[string]string{"NEW": secretOf('n'), "SAME": secretOf('s'), "WEBHOOK": secretOf('a'), "TOKEN": "t0ken", "SHORT": "aHVudGVyMg==", "SPACED": "t0ken with spaces", "ACCENTED": "t0ken-of-a-café-in-Zürich"},
		Inventory:      "file",
		WebhookIDs:     []string{"11111111-1111-4111-8111-111111111111"},
		WebhookSecrets: same.List(),
		Codes:          []posture.Code{posture.DeviceNotFound, posture.DeviceNotCompliant},
	}
	for _, c := range "345678" {
		s.Environ["NEW"+string(c)] = secretOf(byte(c))
	}
	if strings.HasPrefix(content, "# Without PROVIDER.") {
		s.Inventory = ""
	}
	return filepath.Join(folder, "posture.yaml"), s
}

// broken are the files of testdata that are not accepted: for their structure, their meaning or as YAML. FILE.txt beside
// FILE.yaml is what the connector says of it, with [device] for the names of all facts of a device and [providers] for
// those of all providers.
func broken(t testing.TB) []string {
	t.Helper()
	files := slices.Concat(glob(t, "structure"), glob(t, "meaning"), glob(t, "yaml"))
	if len(files) < 200 {
		t.Fatalf("there are only %d files", len(files))
	}
	return files
}

func glob(t testing.TB, folder string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %q, %v", folder, files, err)
	}
	return files
}

func content(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withNames fills in the names of facts and providers, so that a new one changes no file of testdata.
func withNames(text string) string {
	pairs := []string{"[providers]", strings.Join(provider.Names(), " or ")}
	for _, of := range []string{"device", "user"} {
		var names []string
		for _, d := range posture.Vocabulary() {
			if name, ok := strings.CutPrefix(d.Name, of+"."); ok {
				names = append(names, name)
			}
		}
		pairs = append(pairs, "["+of+"]", strings.Join(names, ", "), "["+of+", sorted]", strings.Join(slices.Sorted(slices.Values(names)), ", "))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Each mistake has its place, its path and its words, all of a file are reported in one go, and no secret is shown.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for _, file := range broken(t) {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".yaml"), func(t *testing.T) {
			t.Parallel()
			path, s := surrounded(t, content(t, file))
			_, err := policyfile.Load(path, s)
			if err == nil {
				t.Fatal("it is accepted")
			}
			got := strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", "") + "\n"
			if want := withNames(content(t, strings.TrimSuffix(file, ".yaml")+".txt")); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			for _, secret := range []string{"unter2", "UNTER2", "1234567", secretOf('n')[:8], secretOf('s')[:8], "t0ken", "Zürich", "aHVudGVyMg"} {
				if strings.Contains(got, secret) {
					t.Errorf("%q is shown: %s", secret, got)
				}
			}
			inside(t, content(t, file), err)
		})
	}
}

// inside checks that each fault has a place in the file.
func inside(t testing.TB, text string, err error) {
	t.Helper()
	var faults document.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("%T is no list of faults: %v", err, err)
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(strings.TrimPrefix(text, "\ufeff"))
	lines := strings.Split(text, "\n")
	for _, f := range faults {
		// What a test of the file expects is in its text.
		if f.Accepted == "" && !strings.HasPrefix(f.Text, "the test ") {
			t.Errorf("it does not say what is accepted: %v", f)
		}
		if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > len([]rune(lines[f.Line-1]))+1 || f.Text == "" || f.File == "" {
			t.Errorf("%d:%d is not inside the file: %v", f.Line, f.Column, f)
		}
	}
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	for _, file := range glob(t, "good") {
		path, s := surrounded(t, content(t, file))
		if f, err := policyfile.Load(path, s); err != nil {
			t.Errorf("%s: %v", file, err)
		} else if len(f.Warnings) > 0 && !strings.Contains(file, "least") {
			t.Errorf("%s: %q", file, f.Warnings)
		}
	}
}

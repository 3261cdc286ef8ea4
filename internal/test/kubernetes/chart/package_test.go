package chart_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The package of the chart has the same bytes whenever its files have the same times, as those of a release have, and it makes the
// same objects as the folder.
func TestPackage(t *testing.T) {
	t.Parallel()
	var packages [][]byte
	for range 2 {
		folder := t.TempDir()
		source := filepath.Join(folder, name)
		if err := os.CopyFS(source, os.DirFS(chart)); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
		err := filepath.WalkDir(source, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(path, at, at) //nolint:gosec // G122: the folder is the test's alone
		})
		if err != nil {
			t.Fatal(err)
		}
		must(t, programs.Helm, "package", source, "--destination", folder, "--version", "1.2.3", "--app-version", "v1.2.3")
		file := filepath.Join(folder, name+"-1.2.3.tgz")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, text)
		values := []string{"--namespace", name, "--values", filepath.Join(chart, "ci", "jamf-values.yaml"), "--set", "image.tag=v1"}
		ofPackage := must(t, programs.Helm, append([]string{"template", name, file}, values...)...)
		ofFolder := must(t, programs.Helm, append([]string{"template", name, chart}, values...)...)
		version := func(text, from, app string) string {
			text = string(bytes.ReplaceAll([]byte(text), []byte(name+"-"+from), []byte(name+"-X")))
			return string(bytes.ReplaceAll([]byte(text), []byte(`"`+app+`"`), []byte(`"X"`)))
		}
		if got, want := version(ofPackage, "1.2.3", "v1.2.3"), version(ofFolder, "1.0.0", "v1.0.0"); got != want {
			t.Errorf("the package makes other objects than the folder:\n%s", got)
		}
	}
	if !bytes.Equal(packages[0], packages[1]) {
		t.Error("packaged again, the chart has other bytes")
	}
}

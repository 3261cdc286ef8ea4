package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// put writes files into a new folder.
func put(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// fails wants an error that contains a text, or none where it is empty.
func fails(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

// Two builds are equal only when they have the same files with the same bytes.
func TestCompare(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		one, two map[string]string
		want     string
	}{
		"same":           {map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1", "b": "2"}, ""},
		"one byte":       {map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1", "b": "3"}, "b differs"},
		"only the first": {map[string]string{"a": "1", "b": "2"}, map[string]string{"a": "1"}, "b: no such file"},
		"only the other": {map[string]string{"a": "1"}, map[string]string{"a": "1", "b": "2"}, "b: no such file"},
		"nothing":        {nil, nil, "made nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails(t, compare(put(t, row.one), put(t, row.two)), row.want)
		})
	}
}

// A list that lacks a file, or has another digest, is found.
func TestCheckSums(t *testing.T) {
	t.Parallel()
	dist := put(t, map[string]string{"a": "1", "b": "2"})
	if err := writeSums(dist); err != nil {
		t.Fatal(err)
	}
	fails(t, checkSums(dist), "")
	if err := os.WriteFile(filepath.Join(dist, "b"), []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(t, checkSums(dist), "and must be")
	fails(t, checkSums(put(t, map[string]string{"a": "1"})), sums)
}

// An SBOM must be about the program, with all of its modules and no others. The program is that of this test.
func TestSBOM(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := digest(program)
	if err != nil {
		t.Fatal(err)
	}
	linked, err := modules(program)
	if err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	described := func(change func(document m)) string {
		var components []any
		for _, module := range linked {
			name, version, _ := strings.Cut(module, "@")
			components = append(components, m{"name": name, "version": version})
		}
		document := m{
			"bomFormat": "CycloneDX", "version": 1, "components": components,
			"metadata": m{
				"timestamp":  "2026-01-01T00:00:00Z",
				"tools":      []any{m{"name": "cyclonedx-gomod", "hashes": []any{m{"alg": "MD5"}}}},
				"component":  m{"name": "a program", "purl": "pkg:golang/a?b=c&d=e"},
				"properties": []any{m{"name": "cdx:gomod:binary:hash:SHA-256", "value": sum}},
			},
		}
		change(document)
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, row := range map[string]struct {
		change func(document m)
		want   string
	}{
		"right": {func(m) {}, ""},
		"another one": {func(d m) {
			d["components"] = append(d["components"].([]any), m{"name": "a.example/x", "version": "v1"})
		}, "has others: [a.example/x@v1]"},
		"one missing":   {func(d m) { d["components"] = d["components"].([]any)[1:] }, "lacks modules of the program: [std@go"},
		"other program": {func(d m) { d["metadata"].(m)["properties"] = nil }, "another program"},
		"other format":  {func(d m) { d["bomFormat"] = "SPDX" }, `format "SPDX"`},
		"no tools":      {func(d m) { delete(d["metadata"].(m), "tools") }, "no tools"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := filepath.Join(put(t, map[string]string{"sbom": described(row.change)}), "sbom")
			to := filepath.Join(t.TempDir(), "published")
			fails(t, publishSBOM(from, to, program), row.want)
			if row.want != "" {
				return
			}
			text, err := os.ReadFile(to)
			if err != nil {
				t.Fatal(err)
			}
			for what, want := range map[string]bool{"timestamp": false, "hashes": false, `"id": "MIT"`: true, "b=c&d=e": true, "\"version\": 1\n": true} {
				if got := strings.Contains(string(text), what); got != want {
					t.Errorf("%s is in the SBOM: %t, want %t\n%s", what, got, want, text)
				}
			}
		})
	}
}

// A program must be static, for the platform that its archive names, and without a path of the machine.
func TestPrograms(t *testing.T) {
	t.Parallel()
	folder := put(t, map[string]string{"text": "#!/bin/sh\n", "main.go": "package main\n\nfunc main() {}\n"})
	fails(t, checkProgram(filepath.Join(folder, "text"), "linux/amd64"), "neither ELF nor Mach-O")
	built := func(args ...string) string {
		t.Helper()
		program := filepath.Join(t.TempDir(), "program")
		build := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", "-o", program}, args, []string{filepath.Join(folder, "main.go")})...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return program
	}
	here := runtime.GOOS + "/" + runtime.GOARCH
	good := built("-trimpath")
	fails(t, checkProgram(good, here), "")
	fails(t, checkProgram(good, "plan9/mips"), "the program is for "+here+", want plan9/mips")
	fails(t, checkProgram(built(), here), "-trimpath=true")
}

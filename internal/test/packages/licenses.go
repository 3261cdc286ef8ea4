package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// architectures are those of the packages; each may need modules that the other does not.
func architectures() []string { return []string{"amd64", "arm64"} }

// licenses returns the notices of the Go distribution and of every module that is linked into the program: their licenses
// ask that who distributes the program passes them on. A module without any is an error.
func licenses(build) ([]byte, error) {
	root, err := output("go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	text := bytes.NewBufferString("The program contains parts of the following works. Their notices follow.\n")
	if err := notices(text, "The Go programming language and its standard library", strings.TrimSpace(string(root))); err != nil {
		return nil, err
	}
	var modules []string
	for _, arch := range architectures() {
		listed, err := outputIn([]string{"GOOS=linux", "GOARCH=" + arch, "CGO_ENABLED=0"},
			"go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", ".")
		if err != nil {
			return nil, err
		}
		modules = append(modules, strings.Split(strings.TrimSpace(string(listed)), "\n")...)
	}
	slices.Sort(modules)
	for _, module := range slices.Compact(modules) {
		if module == "" {
			continue
		}
		title, dir, _ := strings.Cut(module, "\t")
		if err := notices(text, title, dir); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// notices appends the licenses and notices in the root of a module.
func notices(text *bytes.Buffer, title, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	form := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-._].*)?$`)
	found := 0
	for _, entry := range entries {
		if entry.IsDir() || !form.MatchString(entry.Name()) {
			continue
		}
		notice, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		found++
		fmt.Fprintf(text, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("=", 72), title, entry.Name(), bytes.TrimSpace(notice)) // The width.
	}
	if found == 0 {
		return fmt.Errorf("%s: no license in its root; accepted: a file LICENSE, COPYING or NOTICE", title)
	}
	return nil
}

// copyright is in Debian's machine-readable form.
func copyright(build) ([]byte, error) {
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return nil, err
	}
	title, rest, _ := strings.Cut(string(license), "\n\n")
	holder, terms, found := strings.Cut(rest, "\n\n")
	if title != "MIT License" || !strings.HasPrefix(holder, "Copyright (c) ") || !found {
		return nil, fmt.Errorf("LICENSE begins with %q, want the MIT license with its holder", title)
	}
	var text strings.Builder
	text.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n" +
		"Upstream-Name: " + name + "\n" +
		"Comment:\n The program is linked with Go modules under licenses of their own: the file\n" +
		" /usr/share/doc/" + name + "/third-party-licenses.gz has them all.\n\n" +
		"Files: *\nCopyright: " + strings.TrimPrefix(holder, "Copyright (c) ") + "\nLicense: Expat\n")
	for line := range strings.Lines(strings.TrimSpace(terms)) {
		line = strings.TrimRight(line, "\n")
		if line == "" {
			line = "."
		}
		text.WriteString(" " + line + "\n")
	}
	return []byte(text.String()), nil
}

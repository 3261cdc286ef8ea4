package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// publishSBOM reads what cyclonedx-gomod has written about a program, and writes what is published: without the time and
// the digests of the tool, which are of the machine that ran it, and with our license. It fails where the modules are not
// those of the program.
func publishSBOM(from, to, program string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	document := map[string]any{}
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.UseNumber()
	if err := reader.Decode(&document); err != nil {
		return err
	}
	metadata, _ := document["metadata"].(map[string]any)
	tools, _ := metadata["tools"].([]any)
	component, _ := metadata["component"].(map[string]any)
	if len(tools) == 0 || component == nil {
		return errors.New("the SBOM has no tools or no component in its metadata, which cyclonedx-gomod writes")
	}
	delete(metadata, "timestamp")
	for _, tool := range tools {
		if entry, ok := tool.(map[string]any); ok {
			delete(entry, "hashes")
		}
	}
	component["licenses"] = []any{map[string]any{"license": map[string]any{"id": "MIT"}}}
	var out bytes.Buffer
	writer := json.NewEncoder(&out)
	writer.SetEscapeHTML(false)
	writer.SetIndent("", "  ")
	if err := writer.Encode(document); err != nil {
		return err
	}
	if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
		return err
	}
	return checkSBOM(to, program)
}

// checkSBOM compares an SBOM with a program: it must list exactly the modules that are linked into it, and have its digest.
func checkSBOM(sbom, program string) error {
	text, err := os.ReadFile(sbom)
	if err != nil {
		return err
	}
	var document struct {
		Format     string `json:"bomFormat"`
		Components []struct{ Name, Version string }
		Properties []struct{ Name, Value string }
		Metadata   struct {
			Properties []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", sbom, err)
	}
	if document.Format != "CycloneDX" {
		return fmt.Errorf("%s has the format %q, want CycloneDX", sbom, document.Format)
	}
	sum, err := digest(program)
	if err != nil {
		return err
	}
	var listed []string
	for _, component := range document.Components {
		listed = append(listed, component.Name+"@"+component.Version)
	}
	linked, err := modules(program)
	if err != nil {
		return err
	}
	missing := func(from, in []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(from), func(m string) bool { return slices.Contains(in, m) }), ", ")
	}
	if lacks, adds := missing(linked, listed), missing(listed, linked); lacks+adds != "" {
		return fmt.Errorf("%s lacks modules of the program: [%s], and has others: [%s]", sbom, lacks, adds)
	}
	for _, property := range slices.Concat(document.Properties, document.Metadata.Properties) {
		if property.Name == "cdx:gomod:binary:hash:SHA-256" && property.Value == sum {
			return nil
		}
	}
	return fmt.Errorf("%s is of another program: it lacks the digest %s", sbom, sum)
}

// modules returns what the compiler has written into a program: its modules, and the standard library as std.
func modules(program string) ([]string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	all := []string{"std@" + info.GoVersion}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		all = append(all, module.Path+"@"+module.Version)
	}
	return all, nil
}

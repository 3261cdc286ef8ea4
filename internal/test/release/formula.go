package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"text/template"
)

// writeFormula fills the template in. It fails where the template names an archive that was not built, so that no formula
// is without a digest.
func writeFormula(from, to string, r release, digests map[string]string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	parsed, err := template.New("formula").Option("missingkey=error").Funcs(template.FuncMap{
		"archive": func(platform string) (string, error) {
			file := fmt.Sprintf("%s-%s-%s.tar.gz", name, r.version, platform)
			sum, ok := digests[file]
			if !ok {
				return "", fmt.Errorf("%s was not built: PLATFORMS lacks %s", file, strings.Replace(platform, "-", "/", 1))
			}
			return fmt.Sprintf("url %q\n      sha256 %q", r.url+"/"+r.version+"/"+file, sum), nil
		},
	}).Parse(string(text))
	if err != nil {
		return err
	}
	var filled bytes.Buffer
	// Homebrew's versions have no v.
	if err := parsed.Execute(&filled, map[string]string{"version": strings.TrimPrefix(r.version, "v"), "homepage": r.url}); err != nil {
		return err
	}
	return os.WriteFile(to, filled.Bytes(), 0o644)
}

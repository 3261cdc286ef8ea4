package check

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// looks are the forms of secrets.
func looks() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"a private key":             regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`),
		"a JSON Web Token":          regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`),
		"a private JSON Web Key":    regexp.MustCompile(`"d"\s*:\s*"[A-Za-z0-9_-]{40,}"`),
		"a password in a URL":       regexp.MustCompile(`\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s:@]+@`),
		"a password hash":           regexp.MustCompile(`\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}`),
		"a bearer credential":       regexp.MustCompile(`(?i)\bbearer [A-Za-z0-9._~+/-]{16,}`),
		"a key of a cloud":          regexp.MustCompile(`\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|xox[baprs]-[A-Za-z0-9-]{10,})`),
		"a secret of a webhook":     regexp.MustCompile(`(^|[\s"',;:=])[A-Za-z0-9+/]{86}==($|[\s"',;])`),
		"a member with a secret":    regexp.MustCompile(`(?im)^\s*-?\s*"?(client_secret|secrets?|password|token|private_key|api_key)"?\s*:\s*["']?[^\s"'\[{][^\n]*$`),
		"an assignment of a secret": regexp.MustCompile(`(?m)^\s*(export )?[A-Z0-9_]*(SECRET|PASSWORD|TOKEN|PRIVATE_KEY)S?=\S+`),
	}
}

// secrets wants nothing secret in what is no Secret, nor in what is kept in a repository: Secrets are made by the user, or by a
// program in the cluster.
func secrets(s *state) {
	forms := looks()
	for _, object := range s.Objects {
		if object.Kind() == "Secret" {
			s.find(object, "a manifest is no place for a secret")
			continue
		}
		for _, text := range texts(map[string]any(object)) {
			for what, look := range forms {
				if look.MatchString(text) {
					s.find(object, "it has %s", what)
				}
			}
		}
		if object.Kind() == "ConfigMap" {
			s.wantNoSecretVariable(object, object.Map("data"))
		}
	}
	for _, w := range s.pods {
		for _, c := range containers(w.pod) {
			values := map[string]any{}
			for _, variable := range c.Maps("env") {
				if value, plain := variable["value"]; plain {
					values[variable.Text("name")] = value
				}
				if variable.Map("valueFrom", "secretKeyRef") != nil {
					s.find(w.owner, "the container %s gets the secret variable %s, which its children and crash reports see: mount the Secret, and use %[2]s_FILE", c.Text("name"), variable.Text("name"))
				}
			}
			for _, from := range c.Maps("envFrom") {
				if from.Map("secretRef") != nil {
					s.find(w.owner, "the container %s gets the Secret %s as variables: mount it", c.Text("name"), from.Text("secretRef", "name"))
				}
			}
			s.wantNoSecretVariable(w.owner, values)
		}
	}
}

// wantNoSecretVariable looks at names; the value may look like anything. Where a password is a part only, as in STATE_URL, the
// value decides.
func (s *state) wantNoSecretVariable(object manifest.Object, values map[string]any) {
	for name, value := range values {
		if slices.Contains(s.SecretVariables, name) && value != "" && !harmless(fmt.Sprint(value)) {
			s.find(object, "the secret variable %s has a value in it: mount a Secret, and use %[1]s_FILE", name)
		}
	}
}

// harmless is a database that has no password: a file.
func harmless(value string) bool { return strings.HasPrefix(value, "sqlite:") }

// texts are all strings in a value; the names of keys too.
func texts(value any) (all []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			all = append(all, texts(item)...)
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			all = append(all, key)
			all = append(all, texts(v[key])...)
		}
	}
	return all
}

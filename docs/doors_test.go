package docs_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// docs/doors/README.md has exactly the variables that the configurations read.
func TestVariablesOfDoors(t *testing.T) {
	t.Parallel()
	const page = "docs/doors/README.md"
	variables := slices.Concat(
		matches(t, "docs/doors/freeradius/radiusd.conf", `\$ENV\{([A-Z_]+)\}`),
		matches(t, "docs/doors/caddy/Caddyfile", `\{\$([A-Z_]+)\}`),
		matches(t, "docs/doors/haproxy/haproxy.cfg", `\$\{([A-Z_]+)\}`),
		matches(t, "docs/doors/haproxy/posture.lua", `os\.getenv\("([A-Z_]+)"\)`),
	)
	var documented []string
	for _, row := range matches(t, page, "(?m)^\\| (`[A-Z_]+`.*?) \\|") {
		for name := range strings.SplitSeq(row, ", ") {
			documented = append(documented, strings.Trim(name, "`"))
		}
	}
	if got, want := sorted(documented), sorted(variables); !slices.Equal(got, want) {
		t.Errorf("%s has the variables %q, and the files read %q", page, got, want)
	}
}

// The configurations that no test runs say so in their first line, and the others do not.
func TestNotRun(t *testing.T) {
	t.Parallel()
	for path, run := range map[string]bool{
		"docs/doors/freeradius/radiusd.conf": true, "docs/doors/nginx/posture.conf": true, "docs/doors/caddy/Caddyfile": true,
		"docs/doors/haproxy/haproxy.cfg": true, "docs/doors/traefik/posture.yml": false, "docs/doors/envoy/envoy.yaml": false,
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.HasPrefix(string(text), "# Not run: written from the documentation of "); said == run {
			t.Errorf("%s: the first line says not run: %t", path, said)
		}
	}
}

// The template of docs/doors begins with the gate of docs/setup.md: without it, step-ca asks nobody where the webhook is missing.
func TestGateOfDoors(t *testing.T) {
	t.Parallel()
	const gate = `(?m)^(\{\{- if not \(hasKey \.Webhooks "posture"\) \}\}\{\{ fail .*)$`
	setup, doors := matches(t, "docs/setup.md", gate), matches(t, "docs/doors/README.md", gate)
	if len(setup) == 0 || len(doors) != 1 || doors[0] != setup[0] {
		t.Errorf("docs/doors/README.md has the gates %q, and docs/setup.md %q", doors, setup)
	}
}

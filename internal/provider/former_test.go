package provider_test

import (
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider"
)

// environment is a process environment.
func environment(t *testing.T, pairs ...string) config.Environment {
	t.Helper()
	e, err := config.Environ(pairs, t.TempDir()+"/.env", false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestFormerName: a provider that had another name before is opened by that name and its variables, with warnings that name the
// present ones, and is called by its present name.
func TestFormerName(t *testing.T) {
	t.Parallel()
	e, err := provider.Renamed(environment(t, "PROVIDER=kandji", "KANDJI_BASE_URL=https://example.api.kandji.io", "KANDJI_TOKEN=x", "KANDJI_GROUP=wifi"))
	if err != nil {
		t.Fatal(err)
	}
	i, warnings, err := provider.Open(e.Variables["PROVIDER"], e.Variables, false)
	if err != nil || len(warnings) > 0 || i.Name != "iru" || i.Kind != "iru" || i.Requirements.Groups["computer"]+i.Requirements.Groups[""] != "wifi" {
		t.Errorf("Open = %+v, %q, %v, want the provider iru", i, warnings, err)
	}
	want := []string{
		"KANDJI_BASE_URL is the former name of IRU_BASE_URL; write that",
		"KANDJI_GROUP is the former name of IRU_GROUP; write that",
		"KANDJI_TOKEN is the former name of IRU_TOKEN; write that",
		"PROVIDER: kandji is the former name of iru; write that",
	}
	got := e.Warnings(config.Vocabulary{Known: slices.Concat(provider.Variables(), provider.FormerVariables(), []string{"PROVIDER"}), Prefixes: []string{"IRU_", "KANDJI_"}})
	if !slices.Equal(got, want) {
		t.Errorf("the warnings are %q, want %q", got, want)
	}
	if unused := provider.Unused("iru", e.Variables); len(unused) > 0 {
		t.Errorf("Unused = %q, want nothing", unused)
	}
}

// TestFormerVariables: they are accepted with the present name of the provider too, also as a file; both names of one are an error,
// and without the provider they are unused and not unknown.
func TestFormerVariables(t *testing.T) {
	t.Parallel()
	e, err := provider.Renamed(environment(t, "PROVIDER=iru", "KANDJI_TOKEN_FILE=/run/token"))
	if err != nil || e.Variables["IRU_TOKEN_FILE"] != "/run/token" {
		t.Errorf("Renamed = %q, %v, want IRU_TOKEN_FILE", e.Variables, err)
	}
	_, err = provider.Renamed(environment(t, "PROVIDER=iru", "KANDJI_TOKEN=one-secret", "IRU_TOKEN=another-secret"))
	if err == nil || !strings.Contains(err.Error(), "KANDJI_TOKEN: given together with IRU_TOKEN") || strings.Contains(err.Error(), "secret") {
		t.Errorf("Renamed of both = %v, want an error that names both", err)
	}
	e, err = provider.Renamed(environment(t, "PROVIDER=jamf", "KANDJI_TOKEN=x"))
	if err != nil || e.Variables["IRU_TOKEN"] != "" {
		t.Errorf("Renamed = %q, %v, want nothing for another provider", e.Variables, err)
	}
	if unused := provider.Unused("jamf", e.Variables); len(unused) != 1 || !strings.HasPrefix(unused[0], "KANDJI_TOKEN: set, but PROVIDER is jamf; only the provider iru") {
		t.Errorf("Unused = %q, want KANDJI_TOKEN", unused)
	}
	if names := provider.FormerVariables(); !slices.Contains(names, "KANDJI_TOKEN_FILE") || slices.Contains(names, "TIMEOUT") {
		t.Errorf("FormerVariables = %q", names)
	}
}

package chart_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/kubernetes/manifest"
)

// The program accepts every variable that the chart sets. Here it lacks the files of the volumes, which is all that it says; package
// configuration has them for what is equal to the overlays.
func TestVariablesAreAccepted(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "connector")
	ctx, cancel := context.WithTimeout(t.Context(), buildLimit)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the connector: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(chart, "ci", "*-values.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("ci has the files %q (%v)", files, err)
	}
	for _, values := range files {
		t.Run(filepath.Base(values), func(t *testing.T) {
			t.Parallel()
			variables := variablesOf(t, values)
			for _, problem := range problems(t, program, variables) {
				if !strings.Contains(problem, "no such file") {
					t.Error(problem)
				}
			}
			// So that what is wrong would be found.
			variables["TIMEOUT"] = "soon"
			found := false
			for _, problem := range problems(t, program, variables) {
				found = found || strings.HasPrefix(problem, "TIMEOUT: ")
			}
			if !found {
				t.Error("check does not complain of TIMEOUT=soon")
			}
		})
	}
}

// variablesOf are those of the connector's container.
func variablesOf(t *testing.T, values string) map[string]string {
	t.Helper()
	all, err := manifest.Parse([]byte(must(t, programs.Helm, "template", name, chart, "--namespace", name, "--values", values)))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range manifest.Find(all, "ConfigMap") {
		if object.Map("data")["TLS_CERT_PATH"] == nil {
			continue
		}
		variables := map[string]string{}
		for variable := range object.Map("data") {
			variables[variable] = object.Text("data", variable)
		}
		return variables
	}
	t.Fatal("no ConfigMap has the variables")
	return nil
}

// problems are the lines in which the command check says what is wrong.
func problems(t *testing.T, program string, variables map[string]string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "check")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{}
	for variable, value := range variables {
		cmd.Env = append(cmd.Env, variable+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("check finds nothing wrong, although no file is there:\n%s", out)
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && line != "configuration:" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		t.Fatalf("check says nothing: %v", err)
	}
	return lines
}

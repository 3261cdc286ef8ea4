package chart_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"step-posture-connector/internal/test/kubernetes/tools"
)

const (
	repository   = "../../../.."
	kubernetes   = repository + "/docs/kubernetes"
	chart        = kubernetes + "/chart"
	name         = "step-posture-connector"
	commandLimit = time.Minute
	buildLimit   = 10 * time.Minute
)

//nolint:gochecknoglobals // TestMain cannot hand them to the tests in another way
var (
	programs     tools.Set
	valuesFolder string // for files of values: Helm takes a comma for the end of a path, and t.TempDir has the name of the test
)

func TestMain(m *testing.M) { os.Exit(findAndRun(m)) }

func findAndRun(m *testing.M) int {
	var err error
	if programs, err = tools.Find(context.Background(), func(text string) { fmt.Fprintln(os.Stderr, text) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if valuesFolder, err = os.MkdirTemp("", "step-posture-chart-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(valuesFolder)
	return m.Run()
}

// valuesFile writes values into a file.
func valuesFile(t *testing.T, values string) string {
	t.Helper()
	file, err := os.CreateTemp(valuesFolder, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(values); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// run runs a program without the user's settings.
func run(t *testing.T, program string, arguments ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, arguments...)
	// A cluster that cannot be reached: nothing here needs one.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "KUBECONFIG=/dev/null"}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	return out.String(), problems.String(), err
}

func must(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	stdout, stderr, err := run(t, program, arguments...)
	if err != nil || stderr != "" {
		t.Fatalf("%s %q: %v\n%s%s", filepath.Base(program), arguments, err, stdout, stderr)
	}
	return stdout
}

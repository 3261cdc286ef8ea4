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
	kubernetes   = "../../../../docs/kubernetes"
	chart        = kubernetes + "/chart"
	name         = "step-posture-connector"
	commandLimit = time.Minute
)

var programs tools.Set //nolint:gochecknoglobals // TestMain cannot hand it to the tests in another way

func TestMain(m *testing.M) {
	var err error
	programs, err = tools.Find(context.Background(), func(text string) { fmt.Fprintln(os.Stderr, text) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
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

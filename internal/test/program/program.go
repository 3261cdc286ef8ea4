// Package program runs the whole connector for tests, as an operator runs it: a process of its own with an
// environment, files, signals, output and an exit code. It also has what is around the connector: a PKI, a client
// that signs requests as step-ca does, a simulated Jamf Pro server. Only tests import it.
package program

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/test/repository"
)

// AsProgram is the variable that makes a test binary behave as the connector (see Main).
const AsProgram = "STEP_POSTURE_CONNECTOR_TEST_RUN_MAIN"

// Patience is how long a test waits for anything that must happen; it takes far less.
const Patience = 3 * time.Minute

// atOnce is how many tests run at the same time.
const atOnce = 8

// Main is the TestMain of a package that uses this one. It runs the connector where AsProgram is set, and
// otherwise the tests, in the root of the repository. It returns the exit code.
func Main(m *testing.M) int {
	if os.Getenv(AsProgram) != "" {
		return command.Main("development", "")
	}
	if err := repository.Enter(); err != nil {
		panic(err)
	}
	// These tests wait for time limits more than they compute. A -parallel of the command line still wins.
	if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
		panic(err)
	}
	return m.Run()
}

// Command returns the connector, ready to be started; it is killed at the end of the test.
func Command(t *testing.T, env Environment, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = env.list()
	return c
}

// Result is the outcome of a command.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the connector in a working directory until it exits. The empty directory is the root of the repository.
func Run(t *testing.T, env Environment, directory string, args ...string) Result {
	t.Helper()
	c := Command(t, env, args...)
	c.Dir = directory
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Result{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

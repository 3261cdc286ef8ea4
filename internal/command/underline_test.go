package command_test

import (
	"strings"
	"testing"

	"step-posture-connector/internal/command"
)

// A mistake in an expression is one line with its place, and below it the expression with a mark; JSON has the line only.
func TestMistakesAreUnderlined(t *testing.T) {
	t.Parallel()
	path := file(t, "posture.yaml", "policies:\n  default:\n    rules:\n      - {name: os, require: 'device.os_verzion.atLeast(\"15.4\")'}\n")
	line := path + `:4:37: policies.default.rules[0].require: unknown name in device "os_verzion"; did you mean os_version?`
	const below = "\n    device.os_verzion.atLeast(\"15.4\")\n           ^^^^^^^^^^\n"
	for _, args := range [][]string{{"policy", "test", path}, {"check"}, {}} {
		code, _, stderr := run(t, append(inventory(t), "POLICY_PATH="+path), args...)
		if code != command.ExitError || !strings.Contains(stderr, line) || !strings.Contains(stderr, below) {
			t.Errorf("%q: exit %d\n%s", args, code, stderr)
		}
	}
	_, stdout, _ := run(t, append(inventory(t), "POLICY_PATH="+path), "check", "--json")
	if !strings.Contains(stdout, `unknown name in device \"os_verzion\"`) || strings.Contains(stdout, "^^^") {
		t.Error(stdout)
	}
}

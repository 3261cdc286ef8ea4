package command_test

import (
	"strings"
	"testing"
)

// An identifier that looks like a token is shown as its beginning, on both streams, with and without a policy file.
func TestLookupHidesTokens(t *testing.T) {
	t.Parallel()
	token := "q7A_" + strings.Repeat("x", 39)
	environ := inventory(t)
	policy := file(t, "posture.yaml", "policies:\n  default:\n    rules: [{name: named, require: request.identifier == \"C02\"}]\n")
	with := append([]string{"POLICY_PATH=" + policy}, environ...)
	for _, args := range [][]string{{"lookup", token}, {"lookup", token, "--json"}} {
		for name, environ := range map[string][]string{"with": with, "without": environ} {
			_, stdout, stderr := run(t, environ, args...)
			if all := stdout + stderr; strings.Contains(all, "xxxxx") || !strings.Contains(all, "q7A_...") {
				t.Errorf("%v, %s a policy file:\n%s%s", args[1:], name, stdout, stderr)
			}
		}
	}
}

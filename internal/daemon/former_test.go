package daemon_test

import (
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// TestFormerNames: the variables of a provider under its former name are known, one that is misspelled is not, and neither is one
// that the provider cannot have.
func TestFormerNames(t *testing.T) {
	t.Parallel()
	for pair, want := range map[string]string{
		"KANDJI_TOKEN=x":            "KANDJI_TOKEN is the former name of IRU_TOKEN; write that",
		"KANDJI_TOKEN_FILE=/run/t":  "KANDJI_TOKEN_FILE is the former name of IRU_TOKEN_FILE; write that",
		"KANDJI_TOKN=x":             "KANDJI_TOKN is not a variable of the connector and is ignored; did you mean KANDJI_TOKEN?",
		"IRU_TOKEN=x":               "",
		"IRU_TOKN=x":                "IRU_TOKN is not a variable of the connector and is ignored; did you mean IRU_TOKEN?",
		"IRU_REQUIRE_COMPLIANT=1":   "IRU_REQUIRE_COMPLIANT is not a variable of the connector and is ignored",
		"KANDJI_REQUIRE_COMPLIANT=": "",
	} {
		e, err := config.Environ([]string{"PROVIDER=kandji", pair}, t.TempDir()+"/.env", false)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = daemon.PresentNames(e); err != nil {
			t.Fatal(err)
		}
		warnings := e.Warnings(daemon.Vocabulary())
		want = strings.TrimPrefix(want+"\nPROVIDER: kandji is the former name of iru; write that", "\n")
		if got := strings.Join(slices.Sorted(slices.Values(warnings)), "\n"); got != want {
			t.Errorf("%s: the warnings are %q, want %q", pair, got, want)
		}
		if e.Variables["PROVIDER"] != "iru" {
			t.Errorf("%s: PROVIDER is %q, want iru", pair, e.Variables["PROVIDER"])
		}
	}
}

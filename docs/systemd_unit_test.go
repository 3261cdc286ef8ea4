package docs_test

import (
	"slices"
	"strconv"
	"testing"

	"step-posture-connector/internal/command"
)

// The unit restarts the service slowly and without a limit: what is missing at boot may come late. Only a
// wrong command line is not tried again.
func TestUnitRestarts(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][]string{
		"StartLimitIntervalSec":    {"0"},
		"StartLimitBurst":          nil,
		"Restart":                  {"on-failure"},
		"RestartSec":               {"15s"},
		"RestartPreventExitStatus": {strconv.Itoa(command.ExitUsage)},
	} {
		if got := matches(t, "docs/systemd/step-posture-connector.service", `(?m)^`+setting+`=(.*)$`); !slices.Equal(got, want) {
			t.Errorf("the unit has %s=%q, want %q", setting, got, want)
		}
	}
}

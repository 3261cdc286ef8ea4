package daemon_test

import (
	"maps"
	"strings"
	"testing"
)

// A listener of API_ADDRESS that has nothing to serve is a warning.
func TestIdleListener(t *testing.T) {
	t.Parallel()
	in := installDemo(t)
	in.write(t, "bearer", "enrol-credential-0123456789abcdef")
	in.write(t, "plain.yaml", plainPolicy)
	in.write(t, "clients.yaml", "tokens:\n  clients:\n    - {name: enrol, bearer: {file: bearer}, policies: [default]}\n"+tokenPolicy)
	state := map[string]string{"STATE_URL": "sqlite:DIR/state.db"}
	with := func(file string) map[string]string {
		changes := maps.Clone(state)
		changes["POLICY_PATH"] = "DIR/" + file
		return changes
	}
	for name, row := range map[string]struct {
		changes map[string]string
		warns   bool
	}{
		"no policy file":              {state, true},
		"a policy file without any":   {with("plain.yaml"), true},
		"a policy file with clients":  {with("clients.yaml"), false},
		"in place of mdmsecuritydemo": {demo(nil), false},
	} {
		for address, warns := range map[string]bool{"127.0.0.1:9000": row.warns, "off": false} {
			row.changes["API_ADDRESS"] = address
			warnings := strings.Join(in.loaded(t, row.changes).Warnings, "\n")
			if got := strings.Contains(warnings, "API_ADDRESS is set, but there are no clients"); got != warns {
				t.Errorf("%s, API_ADDRESS %s: warned %v: %s", name, address, got, warnings)
			}
		}
	}
}

package daemon_test

import (
	"strings"
	"testing"
)

// A folder in which nobody can make a file, not even root.
func TestStateInUnwritableFolder(t *testing.T) {
	t.Parallel()
	lines := install(t).refused(t, map[string]string{"STATE_URL": "sqlite:/proc/state.db"})
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "STATE_URL: the state database, sqlite:/proc/state.db: its folder cannot be written to: ") || !strings.HasSuffix(lines[0], acceptedFile) {
		t.Errorf("Load: %q", lines)
	}
}

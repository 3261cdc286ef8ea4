package store_test

import (
	"testing"

	"step-posture-connector/internal/store"
)

// TestFolderThatCannotBeWritten: not even root writes there.
func TestFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	refuses(t, "a folder that cannot be written to", store.OpenDaemon, parse(t, "sqlite:/proc/state.db"), "its folder cannot be written to")
}

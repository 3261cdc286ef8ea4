package tokenapi_test

import (
	"path/filepath"
	"testing"

	"step-posture-connector/internal/store"
)

// openStore makes a state database.
func openStore(t testing.TB) *store.DB {
	t.Helper()
	url, err := store.ParseURL("sqlite:" + filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenDaemon(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

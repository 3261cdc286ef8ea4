package store_test

import (
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/sqltest"
)

// TestFileOfAnotherProgram: it is refused, by a command too, and stays as it was.
func TestFileOfAnotherProgram(t *testing.T) {
	t.Parallel()
	const want = "it has the tables of another program: give the connector a file of its own"
	for name, statement := range map[string]string{
		"a table of our name":    "CREATE TABLE tokens (x INT)",
		"a table of another one": "CREATE TABLE dashboards (x INT)",
	} {
		b := onSQLite(t)
		b.exec(t, statement)
		path := b.url.Path()
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, name+", the daemon", store.OpenDaemon, b.url, want)
		refuses(t, name+", a command", store.OpenCommand, b.url, want)
		after, err := os.ReadFile(path)
		if err != nil || string(after) != string(before) {
			t.Errorf("%s: the file was changed, %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: the mode is %v, %v", name, info.Mode(), err)
		}
	}
}

// TestCommandWhereNoTablesCanBeMade: a command says what would stop the daemon, so that check is no promise that start breaks.
func TestCommandWhereNoTablesCanBeMade(t *testing.T) {
	t.Parallel()
	server := sqltest.PostgreSQL(t)
	b := onPostgreSQL(server)(t)
	command := func(text string) error {
		t.Helper()
		d, err := store.OpenCommand(t.Context(), parse(t, text))
		if err == nil {
			_ = d.Close()
		}
		return err
	}
	for url, want := range map[string]string{
		server.PostgresURL(owner, ownerPassword, b.name):                          "its tables do not exist; start the daemon once",
		server.PostgresURL(sqltest.Reader, sqltest.ReaderPassword, b.name):        "must own the tables, and the schema",
		server.PostgresURL(owner, ownerPassword, b.name) + "&search_path=missing": "no schema that the user may use",
	} {
		if err := command(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OpenCommand = %v, want %s", err, want)
		}
	}
	b.exec(t, "CREATE TABLE tokens (x INT)")
	if err := command(server.PostgresURL(owner, ownerPassword, b.name)); err == nil || !strings.Contains(err.Error(), "a table of the same name that is not ours") {
		t.Errorf("OpenCommand beside a table of the same name = %v", err)
	}
}

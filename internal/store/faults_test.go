package store_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/sqltest"
)

// wantFault insists on a fault whose text has a part and no secret.
func wantFault(t testing.TB, err error, part string, token enroll.Token) {
	t.Helper()
	if err == nil || errors.Is(err, enroll.ErrUnknown) || errors.Is(err, enroll.ErrTooMany) || !strings.Contains(err.Error(), part) {
		t.Errorf("the error is %v, want %q", err, part)
		return
	}
	for _, secret := range []string{ownerPassword, sqltest.AdminPassword, hex.EncodeToString(token.Hash[:]), "tokens_", "UPDATE", "://"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q holds %q", err, secret)
		}
	}
}

// holding writes in a transaction until the function is called that it returns.
func holding(t testing.TB, b *backend) (end func()) {
	t.Helper()
	return hold(t, b, "UPDATE tokens SET client = 'other'")
}

// hold runs a statement in a transaction that lasts until the function is called that it returns, as long as the test, or as the
// server.
func hold(t testing.TB, b *backend, statement string) (end func()) {
	t.Helper()
	db, err := sql.Open(b.driver, b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	end = func() { _ = tx.Rollback(); _ = db.Close() }
	t.Cleanup(end)
	if _, err := tx.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	return end
}

// testFaults: what an administrator has to change is said.
func testFaults(t *testing.T, server *sqltest.Server, create func(testing.TB) *backend) {
	t.Helper()
	b := create(t)
	d := b.open(t)
	token := insert(t, d, wanted("C02XK1ABJHD2", ""))

	open := func(text string) error {
		t.Helper()
		d, err := store.OpenDaemon(t.Context(), parse(t, text))
		if err != nil {
			t.Fatalf("OpenDaemon = %v; what the server says is no error at start", err)
		}
		defer d.Close()
		return d.Ready(t.Context())
	}
	good := server.PostgresURL(owner, ownerPassword, b.name)
	wantFault(t, open(strings.Replace(good, ownerPassword, "wrong-password", 1)), "refused the user or the password (28P01)", token)
	wantFault(t, open(strings.Replace(good, "/"+b.name, "/missing", 1)), "does not have the database", token)
	wantFault(t, open(good[:strings.Index(good, "?")]+"?sslmode=verify-full"), "its certificate is not trusted", token)
	if err := open(good[:strings.Index(good, "?")]); err != nil {
		t.Errorf("Ready on this machine without sslmode = %v", err)
	}
	reader := server.PostgresURL(sqltest.Reader, sqltest.ReaderPassword, b.name)
	wantFault(t, open(reader), "must own the tables, and the schema", token)
	wantFault(t, open(reader+"&search_path=missing"), "no schema that the user may use", token)

	other := create(t)
	other.exec(t, "CREATE TABLE tokens (x INT)")
	wantFault(t, open(server.PostgresURL(owner, ownerPassword, other.name)), "a table of the same name that is not ours", token)

	// A server that cannot write is no server, also for reading.
	b.exec(t, "ALTER ROLE "+owner+" IN DATABASE "+b.name+" SET default_transaction_read_only = on")
	wantFault(t, open(good), "the state needs the primary server", token)
	b.exec(t, "ALTER ROLE "+owner+" IN DATABASE "+b.name+" RESET default_transaction_read_only")

	// Settings of the server that would lose what was redeemed, or count wrongly.
	b.exec(t, "ALTER ROLE "+owner+" IN DATABASE "+b.name+" SET synchronous_commit = off")
	b.exec(t, "ALTER ROLE "+owner+" IN DATABASE "+b.name+" SET default_transaction_isolation = 'serializable'")
	own := b.open(t)
	for setting, want := range map[string]string{"synchronous_commit": "on", "transaction_isolation": "read committed", "statement_timeout": "2s", "idle_in_transaction_session_timeout": "10s"} {
		if got, err := own.Setting(t.Context(), "SHOW "+setting); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", setting, got, err, want)
		}
	}

	release := holding(t, b)
	_, err := d.Bind(t.Context(), token.Hash, keyOf(1), "C02XK1ABJHD2")
	wantFault(t, err, "did not answer in time", token)
	release()
	if bound := bind(t, d, token, keyOf(1)); bound.Key != keyOf(1) {
		t.Errorf("Bind = %+v", bound)
	}
}

// testNewerSchema: a daemon goes on beside the next version, which has added to the schema.
func testNewerSchema(t *testing.T, b *backend) {
	t.Helper()
	first := b.open(t)
	token := insert(t, first, wanted("C02XK1ABJHD2", ""))
	b.exec(t, "ALTER TABLE tokens ADD COLUMN next TEXT NOT NULL DEFAULT 'x'")
	b.exec(t, "INSERT INTO step_posture_schema VALUES (99, 0)")
	if bound := bind(t, first, token, keyOf(1)); bound.Key != keyOf(1) {
		t.Errorf("Bind = %+v", bound)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	second := b.open(t)
	insert(t, second, wanted("C02XK1ABJHD2", ""))
	command, err := store.OpenCommand(t.Context(), b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer command.Close()
	if tokens, _, err := command.List(t.Context(), enroll.Filter{}); err != nil || len(tokens) != 2 {
		t.Errorf("List = %v, %v", tokens, err)
	}
}

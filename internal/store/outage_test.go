package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/sqltest"
)

// TestOutages are those of a server that each of these has to itself, one after the other.
func TestOutages(t *testing.T) {
	t.Parallel()
	server := sqltest.PostgreSQL(t)
	create := onPostgreSQL(server)
	t.Run("the server ends", func(t *testing.T) { testServerEnds(t, server, create(t)) })
	t.Run("a migration is killed", func(t *testing.T) { testMigrationIsKilled(t, server, create(t)) })
}

// TestPostgreSQL is what only PostgreSQL must do.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := sqltest.PostgreSQL(t)
	create := onPostgreSQL(server)
	for _, row := range []struct {
		name string
		test func(t *testing.T, server *sqltest.Server, create func(testing.TB) *backend)
	}{{"faults", testFaults}, {"an answer is lost", testAnswerIsLost}, {"the answer to a batch is lost", testBatchAnswerIsLost}, {"replicas migrate", testReplicasMigrate}, {"the clock is that of the database", testClock}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.test(t, server, create)
		})
	}
}

// testServerEnds: a PostgreSQL that is down when the daemon starts, or ends later, is a fault of each operation, and of a command. It
// comes back by itself, and what was redeemed before is redeemed.
func testServerEnds(t *testing.T, server *sqltest.Server, b *backend) {
	t.Helper()
	server.Kill()
	d, err := store.OpenDaemon(t.Context(), b.url)
	if err != nil {
		t.Fatalf("OpenDaemon while the server is down = %v", err)
	}
	defer d.Close()
	token := wanted("C02XK1ABJHD2", "")
	all := func(want string) {
		t.Helper()
		ctx := t.Context()
		_, err := d.Insert(ctx, token, 1)
		wantFault(t, err, want, token)
		_, err = d.Find(ctx, token.Hash)
		wantFault(t, err, want, token)
		_, err = d.Bind(ctx, token.Hash, keyOf(1), "C02XK1ABJHD2")
		wantFault(t, err, want, token)
		_, err = d.Bound(ctx, policy, keyOf(1))
		wantFault(t, err, want, token)
		_, _, err = d.List(ctx, enroll.Filter{})
		wantFault(t, err, want, token)
		wantFault(t, d.Revoke(ctx, token.ID, nil), want, token)
	}
	all("cannot be reached")
	wantFault(t, d.Ready(t.Context()), "cannot be reached", token)
	_, err = store.OpenCommand(t.Context(), b.url)
	wantFault(t, err, "cannot be reached", token)

	server.Start(t)
	all("its tables do not exist")
	_, err = store.OpenCommand(t.Context(), b.url)
	wantFault(t, err, "its tables do not exist; start the daemon once", token)
	if err := d.Ready(t.Context()); err != nil {
		t.Fatalf("Ready when the server is up = %v", err)
	}
	token = insert(t, d, token)
	bound := bind(t, d, token, keyOf(1))

	server.Kill()
	all("the state database, PostgreSQL at " + server.Address)
	server.Start(t)
	again := bind(t, d, token, keyOf(2))
	if again.Key != keyOf(1) || again.Bound != bound.Bound {
		t.Errorf("after the crash the token is %+v, want %+v", again, bound)
	}
	// Connections that the server has ended while nobody used them.
	server.Kill()
	server.Start(t)
	if found, err := d.Find(t.Context(), token.Hash); err != nil || found.State() != enroll.Used {
		t.Errorf("Find = %+v, %v", found, err)
	}
	command, err := store.OpenCommand(t.Context(), b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer command.Close()
	if err := command.Revoke(t.Context(), token.ID, nil); err != nil {
		t.Error(err)
	}
}

// testMigrationIsKilled: a migration that ends in the middle leaves nothing, and begins again.
func testMigrationIsKilled(t *testing.T, server *sqltest.Server, b *backend) {
	t.Helper()
	// Another one makes a table of the same name, and does not commit. The migration waits at its second table.
	hold(t, b, "CREATE TABLE tokens (x INT)")
	d, err := store.OpenDaemon(t.Context(), b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ended := make(chan error)
	go func() { ended <- d.Ready(context.WithoutCancel(t.Context())) }()
	const waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE tokens%' AND wait_event_type = 'Lock'"
	for b.number(t, waiting) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	server.Kill()
	wantFault(t, <-ended, "the state database", enroll.Token{})
	server.Start(t)
	if n := b.number(t, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '"+owner+"'"); n > 0 {
		t.Errorf("the migration that was killed has left %d tables", n)
	}
	if err := d.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	bind(t, d, insert(t, d, wanted("C02XK1ABJHD2", "")), keyOf(1))
}

// testAnswerIsLost: where the network loses the answer to a redemption, the outcome is not known; the same key redeems again, and
// another one does not.
func testAnswerIsLost(t *testing.T, server *sqltest.Server, create func(testing.TB) *backend) {
	t.Helper()
	b := create(t)
	network := newRelay(t, server.Address)
	throughRelay := *b
	throughRelay.url = parse(t, strings.Replace(server.PostgresURL(owner, ownerPassword, b.name), server.Address, network.address(), 1))
	d, direct := throughRelay.open(t), b.open(t)
	for _, row := range []struct {
		name            string
		deaf, cut, once bool
		fault           bool
	}{
		{"no answer comes any more", true, false, false, true},
		{"the connection ends, and there is no other", false, true, false, true},
		{"the connection ends, and the next one works", false, true, true, false},
	} {
		for try := 0; ; try++ {
			token := insert(t, direct, wanted("C02XK1ABJHD2", ""))
			if _, err := d.Find(t.Context(), token.Hash); err != nil { // opens a connection
				t.Fatalf("%s: %v", row.name, err)
			}
			network.set(row.deaf, row.cut, row.once)
			bound, err := d.Bind(t.Context(), token.Hash, keyOf(1), "C02XK1ABJHD2")
			if network.set(false, false, false) == 0 {
				t.Fatalf("%s: the network lost nothing", row.name)
			}
			if row.fault {
				wantFault(t, err, "the state database", token)
			} else if err != nil || bound.Key != keyOf(1) {
				t.Errorf("%s: Bind = %+v, %v", row.name, bound, err)
			}
			// On a slow machine the answer that was lost is that of a ping.
			if found, err := direct.Find(t.Context(), token.Hash); err != nil || found.State() == enroll.Live {
				if err != nil || try > 20 {
					t.Fatalf("%s: Find = %+v, %v", row.name, found, err)
				}
				continue
			}
			if other := bind(t, d, token, keyOf(2)); other.Key != keyOf(1) {
				t.Errorf("%s: another key has it: %+v", row.name, other)
			}
			if same := bind(t, d, token, keyOf(1)); same.Key != keyOf(1) || same.State() != enroll.Used {
				t.Errorf("%s: the same key sees %+v", row.name, same)
			}
			break
		}
	}
	// A server that is not heard at all.
	network.set(true, false, false)
	deaf, err := store.OpenDaemon(t.Context(), throughRelay.url)
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	_, err = deaf.Find(t.Context(), enroll.Hash{})
	wantFault(t, err, "did not answer in time", enroll.Token{})
	network.set(false, false, false)
	if err := deaf.Ready(t.Context()); err != nil {
		t.Errorf("Ready when the server is heard again = %v", err)
	}
}

// testReplicasMigrate: of several that start at the same time on an empty database, each finds it migrated.
func testReplicasMigrate(t *testing.T, _ *sqltest.Server, create func(testing.TB) *backend) {
	t.Helper()
	b := create(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			d, err := store.OpenDaemon(t.Context(), b.url)
			if err == nil {
				err = d.Ready(t.Context())
				_ = d.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := b.number(t, "SELECT COUNT(*) FROM step_posture_schema"); n != 2 {
		t.Errorf("%d migrations ran, want 2", n)
	}
}

// testClock: the database, and nobody else, says what time it is.
func testClock(t *testing.T, _ *sqltest.Server, create func(testing.TB) *backend) {
	t.Helper()
	b := create(t)
	d := b.open(t)
	token := insert(t, d, wanted("C02XK1ABJHD2", ""))
	b.exec(t, "CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + INTERVAL ''1 hour'''")
	b.exec(t, "ALTER ROLE "+owner+" IN DATABASE "+b.name+" SET search_path = "+owner+", pg_catalog")
	later := b.open(t)
	if bound := bind(t, later, token, keyOf(1)); bound.State() != enroll.Expired || bound.Now.Sub(token.Now) < time.Hour || !bound.Bound.IsZero() {
		t.Errorf("an hour later Bind = %+v", bound)
	}
	inserted := insert(t, later, wanted("C02XK1ABJHD2", ""))
	if inserted.Created.Sub(token.Created) < time.Hour {
		t.Errorf("an hour later Insert = %+v", inserted)
	}
	if bound := bind(t, d, inserted, keyOf(1)); bound.State() != enroll.Used || bound.Bound.After(inserted.Created) {
		t.Errorf("Bind = %+v", bound)
	}
}

package store_test

import (
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/console/access"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/store"
	"step-posture-connector/internal/test/sqltest"
)

// TestJournalOutage: while PostgreSQL does not answer everything is a fault, and afterwards it goes on by itself; what was added
// before is there.
func TestJournalOutage(t *testing.T) {
	t.Parallel()
	server := sqltest.PostgreSQL(t)
	b := onPostgreSQL(server)(t)
	d := b.open(t)
	j := d.Journal()
	appendTo(t, j, decision(0, "A", reported("firewall")))
	server.Kill()
	ctx, want := t.Context(), "the state database, PostgreSQL at "+server.Address
	fault := func(err error) {
		t.Helper()
		wantFault(t, err, want, enroll.Token{})
	}
	batch := []journal.Entry{decision(time.Second, "A", nil)}
	fault(j.Append(ctx, batch))
	_, _, err := j.Find(ctx, journal.Filter{Limit: 1})
	fault(err)
	_, _, err = j.Get(ctx, batch[0].ID)
	fault(err)
	_, err = j.Overview(ctx, noon(), noon().Add(time.Hour), time.Hour)
	fault(err)
	_, err = j.Affected(ctx)
	fault(err)
	_, _, err = j.AffectedBy(ctx, "laptops", "firewall", "", 1)
	fault(err)
	_, err = j.Expire(ctx, noon())
	fault(err)
	fault(d.CreateSession(ctx, [32]byte{1}, access.Session{Person: "jo"}))
	_, ok, err := d.Session(ctx, [32]byte{1})
	fault(err)
	if ok {
		t.Error("there is a session while the database does not answer")
	}
	fault(d.DeleteSession(ctx, [32]byte{1}))
	_, err = d.CookieKey(ctx, [32]byte{1})
	fault(err)

	server.Start(t)
	for j.Append(ctx, batch) != nil && ctx.Err() == nil { // a connection of before may be found dead first
		time.Sleep(10 * time.Millisecond)
	}
	if found := all(t, j, journal.Filter{Limit: 10}); len(found) != 2 {
		t.Errorf("the journal has %d entries, want 2", len(found))
	}
	if got := affected(t, j, "laptops", "firewall"); len(got) > 0 {
		t.Errorf("firewall would refuse %q", got)
	}
}

// testBatchAnswerIsLost: where the network loses the answer to a batch, it is not known whether it was added. Added again it counts
// once.
func testBatchAnswerIsLost(t *testing.T, server *sqltest.Server, create func(testing.TB) *backend) {
	t.Helper()
	b := create(t)
	network := newRelay(t, server.Address)
	throughRelay := *b
	throughRelay.url = parse(t, strings.Replace(server.PostgresURL(owner, ownerPassword, b.name), server.Address, network.address(), 1))
	far, near := throughRelay.open(t).Journal(), b.open(t).Journal()
	const answers = 10 // of the server: to the statements of a transaction and its COMMIT, and some more
	want, committed := int64(0), 0
	for lost := range answers {
		batch := []journal.Entry{decision(time.Duration(lost)*time.Second, "A", reported("firewall")), decision(time.Duration(lost)*time.Second, "B", nil)}
		if _, _, err := far.Find(t.Context(), journal.Filter{Limit: 1}); err != nil { // opens a connection
			t.Fatal(err)
		}
		network.cutAfter(lost)
		err := far.Append(t.Context(), batch)
		network.set(false, false, false)
		if err != nil {
			wantFault(t, err, "the state database", enroll.Token{})
			if _, ok, err := near.Get(t.Context(), batch[0].ID); ok && err == nil {
				committed++
			}
		}
		for try := 0; far.Append(t.Context(), batch) != nil; try++ {
			if try == 20 {
				t.Fatal("Append does not succeed on a network that works again")
			}
		}
		want++
		o, err := near.Overview(t.Context(), noon(), noon().Add(time.Hour), time.Hour)
		if err != nil || o.Buckets[0].Allowed != 2*want || o.Buckets[0].Reported != want {
			t.Errorf("answer %d lost: Overview = %+v, %v, want %d allowed", lost, o.Buckets, err, 2*want)
		}
	}
	if committed == 0 {
		t.Error("no answer to COMMIT was lost")
	}
	if n := b.number(t, "SELECT COUNT(*) FROM journal"); int64(n) != 2*want {
		t.Errorf("the journal has %d entries, want %d", n, 2*want)
	}
}

// TestCommandReadsJournal: a command beside the daemon reads what it has added, and says where there is no journal yet.
func TestCommandReadsJournal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		b := create(t)
		j := b.open(t).Journal()
		appendTo(t, j, decision(0, "A", nil))
		command, err := store.OpenCommand(t.Context(), b.url)
		if err != nil {
			t.Fatal(err)
		}
		defer command.Close()
		if found := all(t, command.Journal(), journal.Filter{Key: "A", Limit: 10}); len(found) != 1 {
			t.Errorf("the command finds %v", found)
		}
		// A daemon of the version before has made the tables.
		b.exec(t, "DELETE FROM step_posture_schema WHERE version = 2")
		if old, err := store.OpenCommand(t.Context(), b.url); err == nil || !strings.Contains(err.Error(), "start the daemon once") {
			t.Errorf("OpenCommand of an old schema = %v, %v", old, err)
		}
	})
}

//go:build linux

package journalload_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// plan is how much load there is. The defaults are for a test that is run often.
type plan struct {
	rate   int           // decisions a second
	turn   time.Duration // how long one daemon is under load until the other one is
	rounds int           // turns of each
	outage time.Duration // half of it PostgreSQL hangs, half of it it does not run
	after  time.Duration // how long it is under load again, while old entries are deleted
	old    int           // entries that are deleted meanwhile
	// long says that the outage is long enough for lines as they usually are. Otherwise they have long facts, so that there is soon
	// no room for more.
	long bool
}

func thePlan(t *testing.T) (p plan) {
	t.Helper()
	value := func(name string) any { return flag.Lookup(name).Value.(flag.Getter).Get() }
	return plan{value("rate").(int), value("turn").(time.Duration), value("rounds").(int), value("outage").(time.Duration), value("after").(time.Duration), value("old").(int), value("long").(bool)}
}

func TestMain(m *testing.M) {
	if os.Getenv(program.AsProgram) == "" {
		flag.Int("rate", 200, "decisions a second")
		flag.Duration("turn", 500*time.Millisecond, "how long one daemon is under load until the other one is")
		flag.Int("rounds", 2, "turns of each daemon")
		flag.Duration("outage", 4*time.Second, "how long PostgreSQL does not answer")
		flag.Duration("after", 500*time.Millisecond, "how long there is load after that")
		flag.Int("old", 2000, "old entries that are deleted meanwhile")
		flag.Bool("long", false, "a long run, with devices as they are")
	}
	os.Exit(program.Main(m))
}

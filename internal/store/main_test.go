package store_test

import (
	"flag"
	"os"
	"testing"
)

// The flags of these tests, besides those of every test.
const (
	redemptions = "redemptions"  // how many tokens TestRedemptionsOfOneToken redeems
	purgeRows   = "purge-rows"   // how many tokens BenchmarkPurge deletes
	journalRows = "journal-rows" // how many entries the journal of BenchmarkJournal has
	redeemer    = "redeemer"     // for TestKilled: this process redeems in a SQLite file until it is killed
)

func TestMain(m *testing.M) {
	flag.Int(redemptions, 50, "tokens that are redeemed by 100 keys at once")
	flag.Int(purgeRows, 10_000, "tokens that are deleted")
	flag.Int(journalRows, 100_000, "entries of the journal")
	path := flag.String(redeemer, "", "redeem tokens in this file until the process is killed")
	flag.Parse()
	if *path != "" {
		redeemUntilKilled(*path)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func intFlag(name string) int { return flag.Lookup(name).Value.(flag.Getter).Get().(int) }

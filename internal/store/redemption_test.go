package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/store"
)

// TestRedemptionsOfOneToken: of a hundred keys that redeem a token at the same time, one wins; each of the others learns which.
// In PostgreSQL two replicas redeem.
func TestRedemptionsOfOneToken(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, create func(testing.TB) *backend) {
		t.Helper()
		b := create(t)
		replicas := []*store.DB{b.open(t)}
		if !b.url.IsSQLite() {
			replicas = append(replicas, b.open(t))
		}
		for n := range intFlag(redemptions) {
			token := insert(t, replicas[0], wanted(fmt.Sprintf("C02XK1AB%04d", n), ""))
			redeemAtOnce(t, replicas, token)
		}
	})
}

func redeemAtOnce(t *testing.T, replicas []*store.DB, token enroll.Token) {
	t.Helper()
	const keys = 100
	var (
		start, done sync.WaitGroup
		results     [keys]enroll.Token
	)
	start.Add(1)
	for i := range keys {
		done.Go(func() {
			start.Wait()
			var err error
			for range 30 { // a machine that is slow exceeds the time limit; the same key may try again
				if results[i], err = replicas[i%len(replicas)].Bind(t.Context(), token.Hash, keyOf(i), fmt.Sprintf("DEVICE%d", i)); err == nil {
					return
				}
			}
			t.Errorf("Bind by key %d = %v", i, err)
		})
	}
	start.Done()
	done.Wait()
	winners := 0
	for i, result := range results {
		if result.Key == keyOf(i) {
			winners++
			if result.BoundTo != fmt.Sprintf("DEVICE%d", i) {
				t.Errorf("key %d won for %q", i, result.BoundTo)
			}
		}
		if result.State() != enroll.Used || result.Key != results[0].Key || result.Bound != results[0].Bound {
			t.Errorf("key %d sees %+v, key 0 sees %+v", i, result, results[0])
		}
	}
	if winners != 1 {
		t.Fatalf("%d keys won, want 1", winners)
	}
}

// testLiveTokensAtOnce: those who issue tokens for one device at the same time, by its identifier, its UDID or both, issue no more
// than it may have.
func testLiveTokensAtOnce(t *testing.T, b *backend) {
	t.Helper()
	replicas := []*store.DB{b.open(t)}
	if !b.url.IsSQLite() {
		replicas = append(replicas, b.open(t))
	}
	kinds := []enroll.Token{wanted("C02XK1ABJHD2", ""), wanted("c02xk1abjhd2", "AAAA-1"), wanted("", "aaaa1")}
	var (
		all    sync.WaitGroup
		issued [3]int
		mu     sync.Mutex
	)
	for client := range 6 {
		all.Go(func() {
			for n := range enroll.MaxLive {
				kind := (client + n) % len(kinds)
				token := wanted(kinds[kind].Identifier, kinds[kind].UDID)
				_, err := replicas[client%len(replicas)].Insert(t.Context(), token, 5*time.Minute)
				switch {
				case err == nil:
					mu.Lock()
					issued[kind]++
					mu.Unlock()
				case !errors.Is(err, enroll.ErrTooMany):
					t.Errorf("Insert = %v", err)
				}
			}
		})
	}
	all.Wait()
	// One of both counts twice, so at least one of the two is at its limit, and neither beyond.
	byIdentifier, byUDID := issued[0]+issued[1], issued[1]+issued[2]
	if byIdentifier > enroll.MaxLive || byUDID > enroll.MaxLive || max(byIdentifier, byUDID) < enroll.MaxLive {
		t.Errorf("%v tokens were issued, want at most %d for the identifier and as many for the UDID", issued, enroll.MaxLive)
	}
}

// TestKilled: a daemon that is killed while it redeems leaves a file that is sound, in which every token is bound that was reported
// bound, and no lock.
func TestKilled(t *testing.T) {
	t.Parallel()
	b := onSQLite(t)
	for round := range 3 {
		reported := redeemAndKill(t, b)
		d, err := store.OpenDaemon(t.Context(), b.url)
		if err != nil {
			t.Fatalf("after the daemon was killed: %v", err)
		}
		for _, text := range reported {
			found, err := d.Find(t.Context(), enroll.HashOf(text))
			if err != nil || found.State() != enroll.Used || found.Key != enroll.Key(enroll.HashOf(text)) {
				t.Errorf("round %d: a token that was redeemed is %+v, %v", round, found, err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := b.number(t, "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"); n > 0 {
			t.Errorf("the file has %d faults", n)
		}
	}
}

// redeemAndKill starts a process that redeems, and kills it. It returns the tokens that the process has reported.
func redeemAndKill(t *testing.T, b *backend) (reported []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-"+redeemer, b.url.String()) //nolint:gosec // G702: this program
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line that was cut was not reported
		}
		if reported = append(reported, strings.TrimSpace(line)); len(reported) == 50 {
			_ = child.Process.Kill()
		}
	}
	_ = child.Wait()
	if len(reported) < 50 {
		t.Fatalf("the process redeemed %d tokens", len(reported))
	}
	return reported
}

// redeemUntilKilled is that process.
func redeemUntilKilled(text string) {
	ctx := context.Background()
	u, err := store.ParseURL(text)
	if err != nil {
		panic(err)
	}
	d, err := store.OpenDaemon(ctx, u)
	if err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				token := wanted("", fmt.Sprintf("UDID-%s", time.Now().Format(time.RFC3339Nano)))
				secret := token.ID
				token.Hash = enroll.HashOf(secret)
				if _, err := d.Insert(ctx, token, time.Minute); err != nil {
					panic(err)
				}
				if _, err := d.Bind(ctx, token.Hash, enroll.Key(token.Hash), "C02XK1ABJHD2"); err != nil {
					panic(err)
				}
				fmt.Fprintln(os.Stdout, secret)
			}
		})
	}
	all.Wait()
}

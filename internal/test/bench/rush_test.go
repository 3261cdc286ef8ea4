package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

// A rush sends each webhook when it is due, and notices a device that is refused or allowed wrongly.
func TestRush(t *testing.T) {
	t.Parallel()
	b, floor := startFloor(t, false)
	r, err := b.rush(t.Context(), floor, devicesUpTo(60), nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	sent, err := r.send(t.Context(), schedule(200, 2000))
	if err != nil {
		t.Fatal(err)
	}
	all := count(sent, everyone)
	if all.count != 200 || all.outcomes[allowed] != 200 || all.failed() != 0 {
		t.Errorf("of 200 webhooks: %+v", all.outcomes)
	}
	if refused := count(sent, isRefused); refused.count == 0 || refused.count > 10 {
		t.Errorf("%d of 200 webhooks are about devices that are not encrypted, want about 2 %%", refused.count)
	}
	if p := all.p(99); p <= 0 || math.IsNaN(p) {
		t.Errorf("p99 is %v ms", p)
	}
	r.refuses = func(device) bool { return true } // the floor allows everybody
	if _, err := r.send(t.Context(), []time.Duration{0, 0}); err == nil || !strings.Contains(err.Error(), "the wrong device was refused, or allowed") {
		t.Errorf("a device that is allowed and was to be refused: %v", err)
	}
}

// An empty tally has no percentiles, and does not divide by 0.
func TestTallyOfNothing(t *testing.T) {
	t.Parallel()
	none := count(nil, everyone)
	if got := none.share(none.failed()); got != "0 of 0, 0.0 %" || none.p(99) != 0 {
		t.Errorf("share %q, p99 %v", got, none.p(99))
	}
}

// Two of a hundred devices are not encrypted, and every Mac has all groups and attributes.
func TestMacs(t *testing.T) {
	t.Parallel()
	unencrypted := 0
	for _, d := range devicesUpTo(1000) {
		made := d.mac()
		if !*made.Details.Encrypted {
			unencrypted++
		}
		if len(made.Groups) != groupsEach || len(made.Details.Attributes) != attributesEach || made.Serial != d.identifier() {
			t.Fatalf("device %d is %+v", d, made)
		}
	}
	if unencrypted != 20 {
		t.Errorf("%d of 1,000 devices are not encrypted, want 20", unencrypted)
	}
}

package snapshot

import (
	"strings"
	"testing"
	"time"
)

// TestSystemClock: the wall clock has no monotonic reading, which would stand still while the machine sleeps.
func TestSystemClock(t *testing.T) {
	t.Parallel()
	c := systemClock{time.Now()}
	if wall := c.Wall(); strings.Contains(wall.String(), "m=") {
		t.Errorf("the wall clock is %v", wall)
	}
	before := c.Boot()
	if after := c.Boot(); after < before || before < 0 {
		t.Errorf("the boot clock is %v, then %v", before, after)
	}
}

// TestSince: the larger of both clocks counts, whichever was set.
func TestSince(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := moment{at, time.Hour}
	for _, test := range []struct{ wall, boot, want time.Duration }{
		{time.Minute, time.Minute, time.Minute},
		{-time.Hour, time.Minute, time.Minute},
		{2 * time.Hour, time.Minute, 2 * time.Hour},
		{time.Minute, -time.Hour, time.Minute},
		{-time.Minute, -time.Hour, -time.Minute},
	} {
		if got := (moment{at.Add(test.wall), time.Hour + test.boot}).since(before); got != test.want {
			t.Errorf("after %v and %v the age is %v, want %v", test.wall, test.boot, got, test.want)
		}
	}
	c := &copied{begun: before}
	if c.usable(moment{at.Add(-time.Minute), 0}, maxAge) {
		t.Error("a copy from the future is usable")
	}
}

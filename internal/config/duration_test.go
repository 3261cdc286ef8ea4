package config_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/config"
)

// A retention is what it says, or refused: one that is silently shorter deletes decisions that somebody has to keep.
func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"1h": time.Hour, "36h": 36 * time.Hour, "90d": 90 * day, "365d1s": 365*day + time.Second, "366d": 366 * day, "3650d": 3650 * day, "3649d24h": 3650 * day,
		"3650d1s": 0, "3651d": 0, "87601h": 0, "999999999d": 0, "59m59s": 0, "0d": 0, "": 0, "90": 0, "-90d": 0, "90D": 0, " 90d": 0, "90d\n": 0,
	} {
		var got config.Duration
		err := got.UnmarshalText([]byte(text))
		if time.Duration(got) != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %v, %v, want %v", text, time.Duration(got), err, want)
		}
	}
}

package document_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/document"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0s": 0, "1s": time.Second, "90s": 90 * time.Second, "15m": 15 * time.Minute, "2h": 2 * time.Hour, "7d": 7 * day,
		"1d2h3m4s": day + 2*time.Hour + 3*time.Minute + 4*time.Second, "1d4s": day + 4*time.Second, "0d0h0m1s": time.Second,
		"007m": 7 * time.Minute, "61s": 61 * time.Second, "30d": 30 * day, "30d1s": 30*day + time.Second,
		"365d": document.LongestDuration, "364d24h": document.LongestDuration, "364d23h59m59s": document.LongestDuration - time.Second,
		"365d1s": document.LongestDuration, "366d": document.LongestDuration, "8761h": document.LongestDuration,
		"999999999s": document.LongestDuration, "999999999d999999999h999999999m999999999s": document.LongestDuration,
		"364d999999999s": document.LongestDuration, "200d4800h": document.LongestDuration,
	} {
		if got, ok := document.ParseDuration(text); !ok || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " ", "5", "s", "5S", "5M", "500ms", "5us", "1w", "1y", "1.5h", "1,5h", "-5m", "+5m", "5m ", " 5m", "5 m", "1h 5m", "5m1h", "5s5s", "1h1h", "1e3s", "0x5s",
		"5m\n", "\n5m", "5m\x00", "1000000000s", "9999999999999999999999s", "٥m", "5ｍ", "5min", "P1D", "PT5M", "1:00:00", "d", "dhms", "1dh", "null", "5m5",
	} {
		if got, ok := document.ParseDuration(text); ok || got != 0 {
			t.Errorf("%q: %v, %v, want no duration", text, got, ok)
		}
	}
}

// What a shape accepts, Duration reads: a file in which a duration was passed over without a fault would get another one.
func TestDuration(t *testing.T) {
	t.Parallel()
	of := document.MapOf(document.Optional("every", document.DurationShape("")))
	for _, c := range []struct {
		text, fault string
		want        time.Duration
	}{
		{"{every: 5m}", "", 5 * time.Minute},
		{`{every: "5m"}`, "", 5 * time.Minute},
		{"{every: 0s}", "", 0},
		{"{every: 999999999d}", "", document.LongestDuration},
		{`{every: ""}`, "f.yaml:1:9: every: it is empty; accepted: " + document.AcceptedDuration, 0},
		{"{every: 5}", "f.yaml:1:9: every: it is a number; accepted: " + document.AcceptedDuration + "; put it in quotation marks", 0},
		{`{every: "5"}`, "f.yaml:1:9: every: it is not accepted; accepted: " + document.AcceptedDuration, 0},
		{`{every: "5m\n"}`, "f.yaml:1:9: every: it is not accepted; accepted: " + document.AcceptedDuration, 0},
		{"{every: ~}", "f.yaml:1:9: every: it has no value; accepted: a value, or no such key", 0},
		{"{every: [5m]}", "f.yaml:1:9: every: it is a list; accepted: " + document.AcceptedDuration, 0},
	} {
		d, root, err := document.Parse("f.yaml", []byte(c.text), of)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := root.Mapping().Get("every").Duration()
		fault := ""
		if faults := d.Faults(); len(faults) > 0 {
			fault = faults.Error()
		}
		if ok != (c.fault == "") || got != c.want || fault != c.fault {
			t.Errorf("%s: %v, %v, %q, want %v, %q", c.text, got, ok, fault, c.want, c.fault)
		}
	}
	if got, ok := (document.Value{}).Duration(); ok || got != 0 {
		t.Errorf("a value that is not set is the duration %v", got)
	}
}

// Durations are never negative, never beyond the longest one, and those that Go reads too are the same.
func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"", "5", "90s", "15m", "1d2h3m4s", "365d", "999999999d999999999s", "5m\n", "1h1h", "-1s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := document.ParseDuration(text)
		if got < 0 || got > document.LongestDuration || !ok && got != 0 {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
		if again, err := time.ParseDuration(text); ok && err == nil && got != min(again, document.LongestDuration) {
			t.Errorf("%q: %v, Go reads %v", text, got, again)
		}
	})
}

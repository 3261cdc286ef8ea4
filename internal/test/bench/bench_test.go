package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	rounds := []round{
		{requests: 10, cpu: 400 * time.Microsecond},
		{requests: 10, cpu: 100 * time.Microsecond},
		{requests: 20, cpu: 400 * time.Microsecond},
	}
	if got, want := summarize(rounds), (summary{median: 20, lowest: 10, highest: 40, mean: 22.5}); got != want {
		t.Errorf("summarize(three rounds) = %+v, want %+v", got, want)
	}
	if got, want := summarize(rounds[:2]).median, 25.0; got != want {
		t.Errorf("median of two rounds = %v, want %v", got, want)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]string{0: "0", 999: "999", -1: "-1", -203: "-203", -1203: "-1,203", -123456: "-123,456", 1000: "1,000", 123456: "123,456", 1000000: "1,000,000"} {
		if got := thousands(number); got != want {
			t.Errorf("thousands(%d) = %q, want %q", number, got, want)
		}
	}
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	got, err := parseOptions([]string{"-short", "-only", "keepalive,jamf", "-large", "5000"}, io.Discard)
	if err != nil || got.scale.name != "short" || len(got.only) != 2 || got.scale.sizes[len(got.scale.sizes)-1] != 5000 {
		t.Errorf("parseOptions = %+v, %v", got, err)
	}
	if got, err := parseOptions([]string{"-only", "storm,outage,fleet"}, io.Discard); err != nil || len(got.only) != 3 {
		t.Errorf("parseOptions = %+v, %v", got, err)
	}
	for _, args := range [][]string{{"-large", "1000"}, {"-large", "many"}, {"-large", "99999989"}, {"-only", "speed"}, {"-only", "jamf", "-docs", "x.md"}, {"surplus"}, {"-unknown"}} {
		if got, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("parseOptions(%q) = %+v, want an error", args, got)
		}
	}
}

func TestBodyIsTheSampleForAnotherDevice(t *testing.T) {
	t.Parallel()
	c, err := newCaller([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	body, err := c.body("C02XOTHER001", now)
	if err != nil {
		t.Fatal(err)
	}
	var got parts
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Timestamp != now.Format(time.RFC3339Nano) || got.AttestationData.PermanentIdentifier != "C02XOTHER001" {
		t.Errorf("timestamp %q, identifier %q", got.Timestamp, got.AttestationData.PermanentIdentifier)
	}
	for _, old := range []string{
		c.old.Timestamp, c.old.AttestationData.PermanentIdentifier, strings.ToLower(c.old.AttestationData.PermanentIdentifier),
		c.old.Request.Raw, c.old.Request.RawSubject, c.old.Request.PublicKey,
	} {
		if strings.Contains(string(body), old) {
			t.Errorf("the body still has %q of the sample", old)
		}
	}
}

func TestIdentifiersAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for d := range device(100000) {
		if id := d.identifier(); seen[id] {
			t.Fatalf("identifier %s twice", id)
		} else {
			seen[id] = true
		}
	}
}

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Each round is compared with the one before it, which the machine slowed down alike.
func TestRuleRowsCompareRoundByRound(t *testing.T) {
	t.Parallel()
	rounds := func(micros ...time.Duration) (all []round) {
		for _, m := range micros {
			all = append(all, round{requests: 1, cpu: m * time.Microsecond})
		}
		return all
	}
	contestantOf := func(name string, all []round) *contestant {
		return &contestant{target: &target{process: &process{name: name}}, rounds: all}
	}
	rows := ruleRows("HTTP", []*contestant{
		contestantOf("without a policy file", rounds(100, 50, 10)),
		contestantOf(withRules(1), rounds(110, 55, 11)),
		contestantOf(allRules(), rounds(150, 60, 12)),
		contestantOf(ofBefore, rounds(50, 25, 5)),
	})
	want := []row{
		{"CPU per request, HTTP: a policy with 1 rule", "50.0 µs", "55.0 µs", "1.10", none, reported},
		{"CPU per request, HTTP: a policy with 10 rules", "50.0 µs", "60.0 µs", "1.20", "≤ 1.2 × without a policy file", hit},
		{"CPU per request, HTTP: " + againstBefore, "25.0 µs", "50.0 µs", "2.00", "≤ 1.03 × before", miss},
	}
	for i, r := range rows {
		if r != want[i] {
			t.Errorf("row %d is %+v, want %+v", i, r, want[i])
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d rows, want %d", len(rows), len(want))
	}
}

// The next version of a generated file differs in every rule, so that all are compiled again.
func TestPolicyFileVersionsShareNoRule(t *testing.T) {
	t.Parallel()
	in := folder(t.TempDir())
	path := in.file("p.yaml")
	seen := map[string]bool{}
	file := policyFile{3, 4}
	for version := range 2 {
		if err := file.write(in, path, version*file.policies*file.rules); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rules := 0
		for line := range strings.Lines(string(text)) {
			if _, rule, ok := strings.Cut(line, "require: "); ok {
				rules++
				if seen[rule] {
					t.Errorf("version %d has %s again", version, rule)
				}
				seen[rule] = true
			}
		}
		if rules != file.policies*file.rules || !strings.Contains(string(text), fmt.Sprintf("policy_%d", file.policies-1)) {
			t.Errorf("version %d has %d rules:\n%s", version, rules, text)
		}
	}
}

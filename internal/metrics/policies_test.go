package metrics_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/metrics"
	"step-posture-connector/internal/posture"
)

// policiesOf is a version of a policy file: everything in it has the number in its name.
func policiesOf(n int) metrics.Policies {
	of := func(what string) string { return fmt.Sprintf("%s%d", what, n) }
	return metrics.Policies{
		Hash: of("hash"), Rules: map[string][]string{"p": {of("rule")}}, Codes: map[string][]string{"p": {of("code")}},
		Callers:     []metrics.Caller{{Name: "always", Policy: "p"}, {Name: of("caller"), Policy: "p", Secrets: []*atomic.Int64{new(atomic.Int64)}}},
		Inventories: []string{"stays", of("inventory")},
	}
}

func requestOf(n int, caller string) *audit.Event {
	of := func(what string) string { return fmt.Sprintf("%s%d", what, n) }
	return &audit.Event{
		Policy: "p", Caller: caller, Inventory: of("inventory"), Code: of("code"), Duration: time.Millisecond,
		Verdict:  posture.Verdict{Outcomes: []posture.Outcome{{Rule: of("rule"), Applies: true}}},
		Evidence: &posture.Evidence{Answers: []posture.Answer{{Inventory: of("inventory")}, {Inventory: "stays"}}},
	}
}

// TestNotifications: notifications have series of their own from the start, are no decisions, and those of a webhook that is
// gone, or that does not notify, are not counted.
func TestNotifications(t *testing.T) {
	t.Parallel()
	m := metrics.NewWithPolicies(metrics.Build{}, []string{"unavailable"}, []string{"policy"})
	use := func(names ...string) {
		next := metrics.Policies{Callers: []metrics.Caller{{Name: "decides", Policy: "p"}}}
		for _, name := range names {
			next.Callers = append(next.Callers, metrics.Caller{Name: name, Notifies: true})
		}
		m.UsePolicies(next)
	}
	notify := func(caller string, issued bool) {
		m.Observe(&audit.Event{Caller: caller, Allowed: true, Duration: time.Second, Notification: &audit.Notification{Issued: issued}})
	}
	use("stays", "goes")
	wantSeries(t, m, `step_posture_notifications_total{result="success",webhook="stays"} 0`, `step_posture_notifications_total{result="failure",webhook="goes"} 0`)
	before, _ := scrape(t, m)
	notify("stays", true)
	notify("stays", true)
	notify("stays", false)
	use("stays")
	notify("goes", true)
	notify("decides", true)
	wantSeries(t, m, `step_posture_notifications_total{result="success",webhook="stays"} 2`, `step_posture_notifications_total{result="failure",webhook="stays"} 1`)
	after, _ := scrape(t, m)
	for _, of := range []string{`webhook="goes"`, `webhook="decides"`} {
		if strings.Contains(after, of) {
			t.Errorf("there are series of %s", of)
		}
	}
	for _, name := range []string{"decisions_total", "request_duration_seconds"} {
		if got, want := strings.Count(after, name), strings.Count(before, name); got != want {
			t.Errorf("%s has %d lines after notifications, and had %d", name, got, want)
		}
	}
	wantSeries(t, m, `step_posture_request_duration_seconds_count{outcome="allow"} 0`)
}

// TestSeriesOfWhatIsGone: rules, codes, callers, inventories and hashes that are gone have no series, and a late request of
// the version before makes none.
func TestSeriesOfWhatIsGone(t *testing.T) {
	t.Parallel()
	m := metrics.NewWithPolicies(metrics.Build{}, []string{"unavailable"}, []string{"policy"})
	count := func() (n int) {
		_, families := scrape(t, m)
		for _, family := range families {
			if strings.HasPrefix(family.GetName(), metrics.Prefix) {
				n += len(family.GetMetric())
			}
		}
		return n
	}
	var first int
	const versions = 50
	for n := 1; n <= versions; n++ {
		m.UsePolicies(policiesOf(n))
		m.Observe(requestOf(n, "always"))
		m.Observe(requestOf(n, fmt.Sprintf("caller%d", n)))
		m.Observe(requestOf(n-1, "always"))
		m.Observe(requestOf(n-1, fmt.Sprintf("caller%d", n-1)))
		if n == 1 {
			first = count()
		}
	}
	text, _ := scrape(t, m)
	if got := count(); got != first {
		t.Errorf("%d series after %d versions, want %d\n%s", got, versions, first, text)
	}
	for _, kind := range []string{"rule", "code", "caller", "inventory", "hash"} {
		if strings.Contains(text, fmt.Sprintf("%q", fmt.Sprintf("%s%d", kind, versions-1))) {
			t.Errorf("the %s of the version before has series", kind)
		}
		if !strings.Contains(text, fmt.Sprintf("%q", fmt.Sprintf("%s%d", kind, versions))) {
			t.Errorf("the %s of the last version has no series", kind)
		}
	}
	wantSeries(t, m,
		`step_posture_decisions_total{caller="always",code="code50",outcome="deny",policy="p",provider="inventory50"} 1`,
		`step_posture_rule_evaluations_total{policy="p",result="unknown",rule="rule50"} 2`,
		`step_posture_policy_info{hash="hash50"} 1`,
		// A late request is one of what is gone, although it was counted by its names while they were there.
		`step_posture_decisions_total{caller="always",code="other",outcome="deny",policy="p",provider="none"} 50`,
		`step_posture_decisions_total{caller="none",code="other",outcome="deny",policy="none",provider="none"} 50`,
	)
}

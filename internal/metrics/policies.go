package metrics

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

// Policies are what is in effect, and so what has series: those of a rule or a caller that is gone are dropped.
type Policies struct {
	Hash    string              // of the policy file
	Rules   map[string][]string // names, by policy
	Codes   map[string][]string // of rules, by policy
	Callers []Caller
	// Inventories are names.
	Inventories []string
}

// Caller is a webhook that may call.
type Caller struct {
	Name, Policy string
	Notifies     bool // it reports what became of requests by SCEP
	// Secrets are when each secret was last used, in Unix seconds; 0 means not since the start.
	Secrets []*atomic.Int64
}

// none is the value of a label that does not apply, as that of the policy of a request that was not authenticated.
const none = "none"

// policies has the metrics that exist with a policy file only.
type policies struct {
	decisions *prometheus.CounterVec
	lookups   *prometheus.HistogramVec
	info      *prometheus.GaugeVec
	rules     *prometheus.CounterVec
	notified  *prometheus.CounterVec
	secrets   *prometheus.Desc

	own map[string]bool // the connector's own codes

	mu      sync.RWMutex
	current Policies
	// What has series: a request that began with a generation that is gone makes none.
	known   map[caller]bool
	notify  map[string]bool           // names of webhooks
	counted map[string][]ruleCounters // by policy, in the order of its rules
	// The keys come from the configuration and our own codes, never from a request, so that they are few.
	decided  series[decided, prometheus.Counter]
	observed series[lookedUp, prometheus.Observer]
}

// decided is what the series of a decision follows from.
type decided struct {
	policy, caller, inventory, code string
	allowed                         bool
}

type lookedUp struct{ inventory, result string }

type caller struct{ policy, name string }

// ruleCounters are the series of one rule.
type ruleCounters struct {
	rule string
	of   [3]prometheus.Counter // by posture.Result
}

// find returns the series of a rule, which is at index i unless the request began with other rules.
func find(all []ruleCounters, i int, rule string) *ruleCounters {
	if i >= len(all) || all[i].rule != rule {
		i = slices.IndexFunc(all, func(c ruleCounters) bool { return c.rule == rule })
	}
	if i < 0 {
		return nil
	}
	return &all[i]
}

// NewWithPolicies makes the metrics of a daemon with a policy file: decisions are also counted by policy and caller, and
// lookups by the name of the inventory.
func NewWithPolicies(build Build, codes, reloads []string) *Metrics {
	m := of(build)
	m.durations()
	m.policies = &policies{
		own: map[string]bool{string(posture.DeviceNotCompliant): true}, // also of data, without a rule
		decisions: m.counters("decisions_total", "Requests, by answer. The code says why it was deny; it is none for allow.",
			"provider", "outcome", "code", "policy", "caller"),
		lookups: m.lookups(),
		info:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: Prefix + "policy_info", Help: "1; the label has the hash of the policy file in effect."}, []string{"hash"}),
		rules: m.counters("rule_evaluations_total", "Evaluations of rules, by result. Those to which their when does not apply are not counted.",
			"policy", "rule", "result"),
		notified: m.counters("notifications_total", "Requests by SCEP of which step-ca has said what became of them.", "webhook", "result"),
		secrets: prometheus.NewDesc(Prefix+"webhook_secret_last_used_timestamp_seconds",
			"When each secret of a webhook last signed a request; 0 means not since the start.", []string{"webhook", "secret"}, nil),
	}
	m.registry.MustRegister(m.policies.info, m.policies)
	for _, code := range codes {
		m.policies.own[code] = true
		m.policies.decisions.WithLabelValues(none, deny, code, none, none)
	}
	m.loads(reloads)
	return m
}

// UsePolicies replaces what is in effect. Without a policy file it does nothing.
func (m *Metrics) UsePolicies(next Policies) {
	p := m.policies
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known, counted := map[caller]bool{}, map[string][]ruleCounters{}
	p.useNotifying(next.Callers)
	for _, c := range next.Callers {
		known[caller{c.Policy, c.Name}] = true
	}
	for policy, names := range next.Rules {
		for _, name := range names {
			counters := ruleCounters{rule: name}
			for _, result := range []posture.Result{posture.Unknown, posture.Unmet, posture.Met} {
				counters.of[result] = p.rules.WithLabelValues(policy, name, result.String())
			}
			counted[policy] = append(counted[policy], counters)
		}
	}
	for policy, before := range p.counted {
		for i, c := range before {
			if find(counted[policy], i, c.rule) == nil {
				p.rules.DeletePartialMatch(prometheus.Labels{"policy": policy, "rule": c.rule})
			}
		}
	}
	for c := range p.known {
		if !known[c] {
			p.decisions.DeletePartialMatch(prometheus.Labels{"policy": c.policy, "caller": c.name})
		}
	}
	for policy, codes := range p.current.Codes {
		for _, code := range codes {
			if !p.own[code] && !slices.Contains(next.Codes[policy], code) {
				p.decisions.DeletePartialMatch(prometheus.Labels{"policy": policy, "code": code})
			}
		}
	}
	for _, name := range p.current.Inventories {
		if !slices.Contains(next.Inventories, name) {
			p.decisions.DeletePartialMatch(prometheus.Labels{"provider": name})
			p.lookups.DeletePartialMatch(prometheus.Labels{"provider": name})
		}
	}
	p.info.Reset()
	p.info.WithLabelValues(next.Hash).Set(1)
	p.current, p.known, p.counted = next, known, counted
	p.decided.forget()
	p.observed.forget()
}

// useNotifying makes the series of webhooks that notify, and drops those of others. mu is held.
func (p *policies) useNotifying(callers []Caller) {
	notify := map[string]bool{}
	for _, c := range callers {
		if !c.Notifies {
			continue
		}
		notify[c.Name] = true
		for _, result := range []string{success, failure} {
			p.notified.WithLabelValues(c.Name, result)
		}
	}
	for name := range p.notify {
		if !notify[name] {
			p.notified.DeletePartialMatch(prometheus.Labels{"webhook": name})
		}
	}
	p.notify = notify
}

// observe counts a request. A notification is no decision.
func (p *policies) observe(e *audit.Event) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if e.Notification != nil {
		if p.notify[e.Caller] { // not where the webhook is gone
			p.notified.WithLabelValues(e.Caller, e.Notification.Result()).Inc()
		}
		return
	}
	p.decided.of(decided{e.Policy, e.Caller, e.Inventory, e.Code, e.Allowed}, p.decision).Inc()
	for inventory, answer := range e.Lookups() {
		result := answered
		if answer.Err != nil {
			result = failed
		}
		if observer := p.observed.of(lookedUp{inventory, result}, p.lookup); observer != nil {
			observer.Observe(answer.Took.Seconds())
		}
	}
	counted := p.counted[e.Policy]
	for i := range e.Verdict.Outcomes {
		o := &e.Verdict.Outcomes[i]
		if counters := find(counted, i, o.Rule); o.Applies && counters != nil {
			counters.of[o.Result].Inc()
		}
	}
}

// decision finds the series of a decision. mu is held.
func (p *policies) decision(d decided) prometheus.Counter {
	outcome, code := deny, d.code
	if d.allowed {
		outcome, code = allow, noCode
	}
	provider, by := none, caller{none, none}
	if c := (caller{d.policy, d.caller}); p.known[c] {
		by = c
	}
	if slices.Contains(p.current.Inventories, d.inventory) {
		provider = d.inventory
	}
	if outcome == deny && !p.own[code] && !slices.Contains(p.current.Codes[d.policy], code) {
		code = other
	}
	return p.decisions.WithLabelValues(provider, outcome, code, by.policy, by.name)
}

// lookup finds the series of a lookup; nil where the inventory is gone. mu is held.
func (p *policies) lookup(l lookedUp) prometheus.Observer {
	if !slices.Contains(p.current.Inventories, l.inventory) {
		return nil
	}
	return p.lookups.WithLabelValues(l.inventory, l.result)
}

// Describe implements prometheus.Collector.
func (p *policies) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- p.secrets }

// Collect implements prometheus.Collector.
func (p *policies) Collect(metrics chan<- prometheus.Metric) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, c := range p.current.Callers {
		for i, used := range c.Secrets {
			metrics <- prometheus.MustNewConstMetric(p.secrets, prometheus.GaugeValue, float64(used.Load()), c.Name, strconv.Itoa(i+1))
		}
	}
}

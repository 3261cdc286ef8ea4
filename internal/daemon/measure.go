package daemon

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"step-posture-connector/internal/metrics"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

func (s *service) newMetrics(build metrics.Build) *metrics.Metrics {
	var codes []string
	for _, code := range outcome.Codes() {
		codes = append(codes, string(code))
	}
	reloads := []string{tlsFiles, inventoryFiles, auditFile}
	if s.current.file != nil {
		reloads = append(reloads, policyFiles)
	}
	if s.usersSet != nil {
		reloads = append(reloads, usersFiles)
	}
	var m *metrics.Metrics
	if s.current.file == nil {
		m = metrics.New(build, s.current.inventories[0].Name, codes, reloads)
	} else {
		m = metrics.NewWithPolicies(build, codes, reloads)
		m.UsePolicies(s.current.series())
	}
	m.Certificate(s.tls.Leaf)
	if s.database != nil {
		m.State(func() bool { return s.state.get(stateDatabase) == "" })
	}
	if s.journal != nil {
		m.Journal(func() metrics.Journal {
			stats := s.journal.Stats()
			return metrics.Journal{Written: stats.Written, Lost: stats.Lost, Waiting: stats.Waiting}
		})
	}
	s.metrics = m
	for _, i := range s.current.inventories {
		s.collect(i)
	}
	return m
}

// collect exports the metrics of an inventory, and those about its files, if it has any.
func (s *service) collect(i *inventory) {
	if i.section != nil && i.reloads() {
		s.metrics.Expect(i.set.Name())
	}
	name := ""
	if s.current.file != nil {
		name = i.Name
	}
	if collector, ok := i.Provider.(prometheus.Collector); ok {
		i.uncollect = append(i.uncollect, s.metrics.Register(name, collector))
	}
	if collector, ok := any(i.keeper).(prometheus.Collector); ok && i.keeper != nil {
		i.uncollect = append(i.uncollect, s.metrics.Register(name, collector))
	}
}

// series are the policies and webhooks that metrics have series for.
func (g *generation) series() metrics.Policies {
	if g.file == nil {
		return metrics.Policies{}
	}
	p := metrics.Policies{Hash: g.file.Hash, Rules: map[string][]string{}, Codes: map[string][]string{}}
	for name, policy := range g.file.Policies {
		for _, rule := range policy.Rules {
			p.Rules[name] = append(p.Rules[name], rule.Name)
			p.Codes[name] = append(p.Codes[name], string(rule.Code))
		}
	}
	for _, i := range g.inventories {
		p.Inventories = append(p.Inventories, i.Name)
	}
	for _, hook := range g.hooks {
		p.Callers = append(p.Callers, metrics.Caller{
			Name: hook.Name, Policy: policyOf(hook), Secrets: hook.Used, Notifies: slices.Contains(hook.Accepts, posture.SCEPNotification),
		})
	}
	if g.file.Doors != nil {
		for _, d := range g.file.Doors.Doors {
			for _, caller := range d.Callers {
				p.Callers = append(p.Callers, metrics.Caller{Name: caller, Policy: d.Policy})
			}
		}
	}
	if g.bearer != nil {
		p.Callers = append(p.Callers, metrics.Caller{Name: g.bearer.Name, Policy: policyOf(*g.bearer)})
	}
	return p
}

// policyOf is the name of the policy that decides what a webhook asks; empty where nothing is decided.
func policyOf(hook webhook.Hook) string {
	if hook.Gate == nil {
		return ""
	}
	return hook.Gate.Policy.Name
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/panics"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/reload"
)

// ofEnvironment opens the inventory of PROVIDER, or carries it over from the previous generation: the environment does
// not change. It returns nil where there is none.
func (s sources) ofEnvironment(previous *generation, g *generation) (*inventory, config.Problems) {
	if previous != nil {
		for _, i := range previous.inventories {
			if i.section == nil {
				g.inventories = append(g.inventories, i)
				return i, nil
			}
		}
		return nil, nil
	}
	if s.path != "" && s.environ.Variables["PROVIDER"] == "" {
		g.warnings = append(g.warnings, provider.Unused("", s.environ.Variables)...)
		return nil, nil
	}
	if name := s.environ.Variables["PROVIDER"]; s.sample != nil {
		i := &inventory{Inventory: provider.Inventory{Name: name, Kind: name, Provider: unasked{}}}
		g.inventories = append(g.inventories, i)
		return i, nil
	}
	// The state of the files is noted before they are read, so that no change is missed in between.
	set := reload.NewSet(inventoryFiles, provider.Files(s.environ.Variables["PROVIDER"], s.environ.Variables)...)
	opened, problems, warnings := openProvider(s.environ, s.readFacts)
	g.warnings = append(g.warnings, warnings...)
	if len(problems) > 0 {
		return nil, problems
	}
	i := &inventory{Inventory: opened, set: set}
	g.inventories = append(g.inventories, i)
	return i, nil
}

// open opens the inventories of the policy file. One whose settings did not change keeps its tokens, connections and
// memory.
func (s sources) open(file *policyfile.File, previous *generation, g *generation) (problems config.Problems) {
	if s.sample != nil {
		return s.sample.open(file, g)
	}
	for _, section := range file.Inventories {
		if before := previous.find(section); before != nil {
			g.inventories = append(g.inventories, before)
			continue
		}
		set := reload.NewSet(inventoryFiles+"/"+section.Name, section.Files()...)
		opened, warnings, err := section.Open()
		g.warnings = append(g.warnings, warnings...)
		if err != nil {
			problems = append(problems, problemLines(err)...)
			continue
		}
		i := &inventory{Inventory: opened, section: section, set: set}
		g.inventories = append(g.inventories, i)
		problems = append(problems, i.keep(s.byHand)...)
		if i.reports != nil {
			g.warnings = append(g.warnings, i.reports.take()...)
		}
	}
	if previous == nil {
		problems = append(problems, s.network(file)...)
	}
	return problems
}

// closeBut closes the inventories that are not in another generation.
func (g *generation) closeBut(other *generation) {
	for _, i := range g.inventories {
		if other == nil || !slices.Contains(other.inventories, i) {
			i.close()
		}
	}
}

// close ends what an inventory does by itself, and its idle connections.
func (i *inventory) close() {
	if closer, ok := i.Provider.(interface{ Close() }); ok {
		closer.Close()
	}
}

// find returns the inventory that a section configured before, or nil.
func (g *generation) find(section *provider.Section) *inventory {
	if g == nil {
		return nil
	}
	i := slices.IndexFunc(g.inventories, func(i *inventory) bool { return i.section != nil && i.section.Same(section) })
	if i < 0 {
		return nil
	}
	return g.inventories[i]
}

// gateWithoutFile requires what the inventory of the environment requires, and nothing else.
func (s sources) gateWithoutFile(own *inventory) *posture.Gate {
	facts, policy := posture.WithoutPolicy(), posture.Policy{Requirements: map[string]posture.Requirements{"": own.Requirements}}
	if s.dropIn != nil {
		facts |= posture.MustFacts("device.udid") // which the token may be for
		policy.Token = s.dropIn.token
	}
	source := s.source(own, facts)
	source.Name = ""
	gate := &posture.Gate{Join: posture.Join{Inventories: []posture.Source{source}}, Policy: policy, Record: s.facts}
	s.dropIn.widen(gate)
	return gate
}

// gate is that of a policy of the file.
func (s sources) gate(p *policy.Policy, g *generation) *posture.Gate {
	gate := p.Gate(func(name string) (posture.Source, posture.Requirements) {
		i := g.inventories[slices.IndexFunc(g.inventories, func(i *inventory) bool { return i.Name == name })]
		return s.source(i, p.FactsOf(name)|p.TokenFacts()), i.Requirements
	})
	gate.Record = s.facts
	if s.sample != nil {
		s.sample.only(gate)
	}
	return gate
}

// source makes a Source of an inventory. The policy reads these facts of its records.
func (s sources) source(i *inventory, facts posture.FactSet) posture.Source {
	source := posture.Source{
		Name: i.Name, Kind: i.Kind, Provider: i.Provider, DefaultType: i.DefaultType, Facts: facts, AllowUnmanaged: i.Requirements.AllowUnmanaged,
	}
	source.Required = i.Requirements.Facts()
	// By hand only the inventory itself is asked: an administrator wants to know what it says now.
	if i.keeper != nil && s.webhooks {
		source.Copy = i.keeper
	}
	if s.facts {
		source.Recorded = posture.AllFacts()
	}
	return source
}

// checkError is why an inventory has not answered at start.
type checkError struct {
	inventory *inventory
	cause     error
}

func (e *checkError) Error() string { return e.inventory.title() + ": " + e.cause.Error() }

func (e *checkError) Unwrap() error { return e.cause }

// check contacts every inventory once, all at the same time. It returns what was found, a line for each. The error is that
// of errors.Join, with a checkError for each inventory that has not answered.
func (g *generation) check(ctx context.Context) (found, warnings []string, err error) {
	type result struct {
		found    string
		warnings []string
		err      error
	}
	results := make([]result, len(g.inventories))
	var all sync.WaitGroup
	for n, i := range g.inventories {
		all.Go(func() {
			r := &results[n]
			r.found = i.title()
			defer func() {
				// One inventory must not end the daemon while it runs.
				if cause := panics.Recovered(recover()); cause != nil {
					r.err = &checkError{i, cause}
				}
			}()
			checker, ok := i.Provider.(posture.Checker)
			if !ok {
				return
			}
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			found, warnings, err := checker.Check(ctx)
			r.found, r.warnings = i.title()+": "+found, warnings
			if err != nil {
				r.err = &checkError{i, err}
			}
		})
	}
	all.Wait()
	var errs []error
	for n, r := range results {
		for _, warning := range r.warnings {
			if g.inventories[n].section != nil {
				warning = "inventory " + g.inventories[n].Name + ": " + warning
			}
			warnings = append(warnings, warning)
		}
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		found = append(found, r.found)
	}
	return found, warnings, errors.Join(errs...)
}

// checkAdded contacts the inventories that another generation does not have. What they say goes to the log and to /readyz
// only: a server that is down must not hold back a change to the rules.
func (s *service) checkAdded(ctx context.Context, next, before *generation) {
	added := &generation{}
	for _, i := range next.inventories {
		if !slices.Contains(before.inventories, i) {
			added.inventories = append(added.inventories, i)
		}
	}
	found, warnings, err := added.check(ctx)
	if ctx.Err() != nil {
		return // the daemon shuts down
	}
	s.noteChecks("after a reload", err)
	if err != nil {
		warnings = append(warnings, oneLine(err)+"; until this is fixed, failed lookups are answered with 503")
	}
	for _, warning := range warnings {
		s.log.Warn(warning)
	}
	for _, line := range found {
		s.log.Info(line)
	}
}

// noteChecks notes which inventories have not answered, as err says, which check has returned.
func (s *service) noteChecks(when string, err error) {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return
	}
	for _, one := range several.Unwrap() {
		if of := (*checkError)(nil); errors.As(one, &of) {
			s.state.setLookup(of.inventory.Name, fmt.Errorf("%s, %w", when, of))
		}
	}
}

// reloads reports whether it is read from files.
func (i *inventory) reloads() bool {
	_, ok := i.Provider.(posture.Reloader)
	return ok
}

// title names an inventory for the operator.
func (i *inventory) title() string {
	if i.section == nil {
		return "provider " + i.Name
	}
	return "inventory " + i.Name + " (" + i.Kind + ")"
}

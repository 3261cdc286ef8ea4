package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

// Sample is a recorded answer in place of an inventory of the policy file.
type Sample struct {
	Inventory string
	Status    int
	Body      []byte

	outcome string
}

// Outcome is the step of the outcome rule that decided the lookup; empty before one.
func (s *Sample) Outcome() string { return s.outcome }

// LoadSample loads the policy file as LoadProvider does, with a recorded answer in place of one inventory. No inventory is
// asked, and no secret is read.
func LoadSample(environ config.Environment, sample *Sample) (*Inventory, error) {
	path, problems := policyPath(environ)
	from := sources{environ: environ, path: path, facts: path != "", sample: sample}
	g, read, err := from.load(nil, nil)
	problems = append(problems, problemsOf(err)...)
	if len(problems) > 0 {
		refused := refuse(problems, from.warnings(read), environ)
		refused.cause = err
		return nil, refused
	}
	return &Inventory{Warnings: g.warnings, current: g}, nil
}

// Asks reports whether a policy asks an inventory, so that its record can decide.
func (i *Inventory) Asks(policy, inventory string) bool {
	return slices.ContainsFunc(i.gate(policy).Join.Inventories, func(s posture.Source) bool { return s.Name == inventory })
}

// errUnasked is the error of the other inventories of a policy.
var errUnasked = errors.New("it was not asked, because the sample is of another inventory")

// unasked stands for an inventory that is not asked.
type unasked struct{}

// Lookup implements posture.Provider.
func (unasked) Lookup(context.Context, posture.Query) (posture.Device, error) {
	return posture.Device{}, errUnasked
}

// InMemory says that a lookup does not wait.
func (unasked) InMemory() {}

// open puts the sample in the place of its inventory.
func (s *Sample) open(file *policyfile.File, g *generation) config.Problems {
	names, found := []string{}, false
	for _, section := range file.Inventories {
		names = append(names, section.Name)
		i := provider.Inventory{Name: section.Name, Kind: section.Kind, Provider: unasked{}, Required: section.Required}
		if section.Name == s.Inventory {
			found = true
			sampled, err := section.Offline(provider.Sample{Status: s.Status, Body: s.Body, Decided: func(step string) { s.outcome = step }})
			if err != nil {
				return problemLines(fmt.Errorf("--inventory: %w", err))
			}
			i = sampled
		}
		g.inventories = append(g.inventories, &inventory{Inventory: i, section: section})
	}
	if !found {
		return problemLines(fmt.Errorf("--inventory: the policy file has no such inventory; accepted: %s", strings.Join(names, ", ")))
	}
	return nil
}

// only leaves the inventory of the sample in a policy, and those that must know the device too: they were not asked, so
// that there is no decision where they are needed.
func (s *Sample) only(gate *posture.Gate) {
	gate.Join.Inventories = slices.DeleteFunc(slices.Clone(gate.Join.Inventories), func(source posture.Source) bool { return source.Name != s.Inventory })
	gate.Join.Reads = slices.DeleteFunc(slices.Clone(gate.Join.Reads), func(name string) bool {
		return name != s.Inventory && !slices.ContainsFunc(gate.Join.AlsoIn, func(source posture.Source) bool { return source.Name == name })
	})
}

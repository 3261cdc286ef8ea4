package daemon

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/reload"
	"step-posture-connector/internal/webhook"
)

// generation is all that decides at one time: the inventories, the policies over them, and the webhooks that may call. It
// never changes. A reload makes another one, and each request finishes with the generation that verified its signature.
type generation struct {
	file        *policyfile.File // nil without a policy file
	inventories []*inventory
	gates       map[string]*posture.Gate // by policy; without a policy file there is one, named ""
	hooks       []webhook.Hook
	warnings    []string
	// files are those that it was read from: the policy file and the files with secrets.
	files reload.State
}

// inventory is an inventory that is open.
type inventory struct {
	provider.Inventory

	section *provider.Section // nil where the environment configures it
	set     *reload.Set       // its files

	uncollect func() // takes its metrics away
}

// sources says how generations are made.
type sources struct {
	environ config.Environment
	path    string // of the policy file; empty without one
	// facts makes every inventory tell all facts, because they are recorded.
	facts bool
	// webhooks says whether the secrets of the webhooks are read; otherwise what decides can be used by hand only.
	webhooks bool
}

// load reads everything anew but the environment: the policy file, secrets in files, inventories that are not in previous.
// Its error has a line for each problem.
func (s sources) load(previous *generation) (*generation, error) {
	files := reload.StateOf(s.watched(nil)...)
	g, err := s.read(previous, files)
	if err != nil {
		return nil, err
	}
	if paths := s.watched(g.file); !files.Has(paths...) {
		// Other files than were expected: a change between reading them and noting their state must not be missed.
		if g, err = s.read(previous, reload.StateOf(paths...)); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// watched are the files of a generation with this policy file.
func (s sources) watched(file *policyfile.File) []string {
	var paths []string
	if s.path != "" {
		paths = append(paths, s.path)
	}
	if s.webhooks {
		paths = append(paths, config.WebhookFiles(s.environ.Variables)...)
	}
	if file != nil {
		paths = append(paths, file.Files...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (s sources) read(previous *generation, files reload.State) (*generation, error) {
	g := &generation{gates: map[string]*posture.Gate{}, files: files}
	var problems config.Problems
	var hooks config.Webhooks
	switch {
	case s.webhooks:
		hooks, problems = config.LoadWebhooks(s.environ.Variables)
	case s.path != "":
		hooks.IDs = config.WebhookIDs(s.environ.Variables) // rules name them, and lookup --webhook
	}
	own, wrong := s.ofEnvironment(previous, g)
	problems = append(problems, wrong...)
	if s.path == "" {
		if len(problems) > 0 {
			return nil, problems
		}
		g.gates[""] = s.gateWithoutFile(own)
		g.hooks = hooksOf(hooks, g.gates[""], false, previous)
		return g, nil
	}
	file, err := policyfile.Load(s.path, s.surroundings(hooks))
	problems = append(problems, policyProblems(err)...)
	if file != nil {
		problems = append(problems, s.open(file, previous, g)...)
		if s.webhooks && len(hooks.IDs) > 0 && file.Policies["default"] == nil {
			problems = append(problems, config.Problem{
				Variable: "WEBHOOK_IDS", Text: "the policy file has no policy default, which these webhooks have, and PROVIDER is not set",
				Accepted: "a policy default in the policy file, or these webhooks in the policy file, with a policy each",
			})
		}
	}
	if len(problems) > 0 {
		return nil, &unusable{problems, err}
	}
	g.file, g.warnings = file, append(g.warnings, file.Warnings...)
	for name, p := range file.Policies {
		g.gates[name] = s.gate(p, g)
	}
	if gate := g.gates["default"]; gate != nil {
		g.hooks = hooksOf(hooks, gate, true, previous)
	}
	g.hooks = append(g.hooks, hooksOfFile(file, g.gates, previous)...)
	return g, nil
}

func (s sources) surroundings(hooks config.Webhooks) policyfile.Surroundings {
	return policyfile.Surroundings{
		Environ: s.environ.Variables, Inventory: s.environ.Variables["PROVIDER"], WebhookIDs: hooks.IDs, WebhookSecrets: hooks.Secrets.List(),
		Codes: webhook.Codes(), WithoutWebhooks: !s.webhooks,
	}
}

// same reports whether both generations decide alike, so that a reload has changed nothing.
func (g *generation) same(other *generation) bool {
	return g.fingerprint() == other.fingerprint() && slices.Equal(g.inventories, other.inventories)
}

func (g *generation) fingerprint() [sha256.Size]byte {
	var text strings.Builder
	if g.file != nil {
		text.WriteString(g.file.Hash)
	}
	for _, hook := range g.hooks {
		fmt.Fprintf(&text, "\n%s %x", hook.ID, hook.Secrets)
	}
	return sha256.Sum256([]byte(text.String()))
}

// policyNames are the names of the policies, in order, without a policy "default" that neither the file nor a webhook has.
// Without a policy file there is one, and it has no name.
func (g *generation) policyNames() []string {
	names := slices.Sorted(maps.Keys(g.gates))
	if len(names) == 1 {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return g.file.Policies[name].Implied && len(g.callersOf(name)) == 0
	})
}

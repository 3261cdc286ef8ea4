package daemon

import (
	"slices"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/reload"
)

// sources says how generations are made.
type sources struct {
	environ config.Environment
	path    string // of the policy file; empty without one
	// facts asks every inventory for all facts, because they are recorded.
	facts bool
	// readFacts opens the inventory of the environment so that it reads facts, because a policy may ask for them.
	readFacts bool
	// webhooks says whether the secrets of the webhooks are read; otherwise what decides can be used by hand only.
	webhooks bool
	// byHand says that a command reads the files of copies, and no daemon.
	byHand bool
	// once are the webhooks of the environment where they came through a pipe, which cannot be read again.
	once *config.Webhooks
	// sample is a recorded answer in place of an inventory: nothing is asked then. It may be nil.
	sample *Sample
	// audit is the path of the audit log, if there is one. No file that is read may be that one.
	audit string
	// doors says that there is a listener of DOOR_ADDRESS, and mutual that webhooks must present a client certificate.
	doors, mutual bool
	// state says that there is a state database.
	state bool
	// dropIn is what COMPAT_MDMSECURITYDEMO adds; nil without it.
	dropIn *dropIn
}

// reading is what was read from files, before any inventory is opened.
type reading struct {
	hooks    config.Webhooks
	file     *policyfile.File // nil without a policy file, or if it has faults
	problems config.Problems
	err      error // of the policy file
	// references are what the policy file refers to, and paths all files to watch: those that were read, or could not be.
	references policyfile.References
	paths      []string
	state      reload.State // of paths, before they were read
}

// read reads the policy file and the webhooks of the environment. The state of the files is noted before, so that no change
// is missed in between. before are the files of the reading before, if there was one.
func (s sources) read(before []string) (r reading) {
	paths := union(s.watched(policyfile.References{}), before)
	for range rereads {
		r = reading{paths: paths, state: reload.StateOf(paths...)}
		pipe := config.WebhookPipe(s.environ.Variables)
		switch {
		case s.once != nil:
			r.hooks = *s.once
		case s.webhooks && pipe != "":
			// It was a file at start. To wait for the writer of a pipe would stop all later reloads, those of the certificate too.
			r.problems = config.Problems{{Variable: pipe, Text: "the file is a pipe now, which is read at start only", Accepted: "the path of a file"}}
		case s.webhooks:
			r.hooks, r.problems = config.LoadWebhooks(s.environ.Variables)
		case s.path != "":
			r.hooks.IDs = config.WebhookIDs(s.environ.Variables) // rules name them, and lookup --webhook
		}
		if s.path != "" {
			r.file, r.err = policyfile.Load(s.path, s.surroundings(r.hooks, &r.references))
			r.problems = append(r.problems, policyProblems(r.err)...)
		}
		paths = s.watched(r.references)
		if r.file == nil && s.path != "" {
			// What a broken file refers to may not be known. A change of what it named before may be the repair.
			paths = union(paths, before)
		}
		if slices.Equal(paths, r.paths) {
			break
		}
	}
	r.problems = append(r.problems, auditInFiles(s.audit, r.references)...)
	r.problems = append(r.problems, s.snapshotsInFiles(r.references)...)
	return r
}

// watched are the files that are read, with these references of the policy file.
func (s sources) watched(references policyfile.References) []string {
	var paths []string
	if s.path != "" {
		paths = append(paths, s.path)
	}
	if s.webhooks && s.once == nil {
		paths = append(paths, config.WebhookFiles(s.environ.Variables)...)
	}
	if s.webhooks {
		paths = append(paths, references.Doors...)
	}
	return union(paths, references.Secrets)
}

// union is both lists, in order, each path once.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// load makes a generation of everything but the environment, which does not change: the policy file, secrets in files,
// inventories that are not in previous. Its error has a line for each problem. The reading is also returned with an error.
func (s sources) load(previous *generation, before []string) (*generation, reading, error) {
	r := s.read(before)
	g := &generation{gates: map[string]*posture.Gate{}}
	own, problems := s.ofEnvironment(previous, g)
	problems = append(r.problems, problems...)
	if s.path != "" && r.file != nil {
		problems = append(problems, s.open(r.file, previous, g)...)
		problems = append(problems, s.withoutState(r)...)
		problems = append(problems, s.require(r)...)
		problems = append(problems, s.openDoors(r.file, previous, g, time.Now())...)
		if s.webhooks {
			problems = append(problems, withoutDefault(r)...)
		}
	}
	if len(problems) > 0 {
		g.closeBut(previous)
		if s.path == "" {
			return nil, r, problems
		}
		return nil, r, &unusable{problems, r.err}
	}
	if s.path == "" {
		g.gates[""] = s.gateWithoutFile(own)
		g.hooks = hooksOf(r.hooks, g.gates[""], false, previous)
		g.bearer = s.bearerHook(g, len(r.hooks.IDs))
		return g, r, nil
	}
	g.file, g.warnings = r.file, append(g.warnings, r.file.Warnings...)
	for name, p := range r.file.Policies {
		g.gates[name] = s.gate(p, g)
		if name == compatPolicy {
			s.dropIn.widen(g.gates[name])
		}
	}
	g.wantCopies(previous) // those in effect serve the previous one until this one is
	g.warnings = append(g.warnings, g.uselessCopies()...)
	if gate := g.gates["default"]; gate != nil {
		g.hooks = hooksOf(r.hooks, gate, true, previous)
	}
	g.hooks = append(g.hooks, hooksOfFile(r.file, g, previous)...)
	g.bearer = s.bearerHook(g, len(r.hooks.IDs))
	if s.webhooks && len(g.hooks) == 0 && g.bearer == nil && g.devices == nil {
		g.warnings = append(g.warnings, "no webhook may call: neither WEBHOOK_IDS nor the policy file has one; every request will be refused")
	}
	return g, r, nil
}

// withoutDefault refuses webhooks of the environment that no policy decides about.
func withoutDefault(r reading) config.Problems {
	if len(r.hooks.IDs) == 0 || r.file.Policies["default"] != nil {
		return nil
	}
	return config.Problems{{
		Variable: "WEBHOOK_IDS", Text: "the policy file has no policy default, which these webhooks have, and PROVIDER is not set",
		Accepted: "a policy default in the policy file, or these webhooks in the policy file, with a policy each",
	}}
}

func (s sources) surroundings(hooks config.Webhooks, references *policyfile.References) policyfile.Surroundings {
	return policyfile.Surroundings{
		Environ: s.environ.Variables, Inventory: s.environ.Variables["PROVIDER"], WebhookIDs: hooks.IDs, WebhookSecrets: hooks.Secrets.List(),
		Codes: outcome.Codes(), WithoutWebhooks: !s.webhooks, WithoutSecrets: s.sample != nil, References: references,
	}
}

// warnings are those about variables. What the policy file refers to is no unknown variable.
func (s sources) warnings(r reading) []string {
	v := vocabulary()
	v.Known = append(v.Known, r.references.Variables...)
	return s.environ.Warnings(v)
}

// network are problems of what the environment says about requests, where an inventory of the policy file makes some.
func (s sources) network(file *policyfile.File) config.Problems {
	if !slices.ContainsFunc(file.Inventories, func(i *provider.Section) bool { return provider.MakesRequests(i.Kind) }) {
		return nil
	}
	return s.environ.Network()
}

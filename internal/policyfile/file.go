// Package policyfile reads a policy file: the inventories, the policies, and the webhooks that belong to them.
package policyfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/filesys"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

// Surroundings are what the environment says that a policy file refers to.
type Surroundings struct {
	// Environ is where {env: NAME} is looked up.
	Environ map[string]string
	// Inventory is the name of the provider that PROVIDER names, which is an inventory of that name; empty without one.
	Inventory string
	// WebhookIDs are those of WEBHOOK_IDS, and WebhookSecrets those of WEBHOOK_SECRETS.
	WebhookIDs     []string
	WebhookSecrets []config.Secret
	// Codes are the connector's own.
	Codes []posture.Code
	// WithoutSecrets reads no secret, and WithoutWebhooks none of webhooks: to test policies, or ask inventories, where
	// they are not.
	WithoutSecrets, WithoutWebhooks bool
	// References gets what the file refers to, also where it has faults; it may be nil.
	References *References
}

// References are what a policy file refers to.
type References struct {
	// Secrets are files with secrets, Inventories those of inventories, and Snapshots those that copies are kept in.
	Secrets, Inventories, Snapshots []string
	// Doors are those with the issuers of devices' certificates, and their revocation lists.
	Doors []string
	// Variables are those of the environment with secrets.
	Variables []string
}

// File is a policy file without a fault.
type File struct {
	// Hash is of the content, in hex.
	Hash        string
	Inventories []*provider.Section // in the order of the file
	Policies    map[string]*policy.Policy
	Webhooks    []Webhook
	Clients     []Client // of the API of enrolment tokens
	Doors       *Doors   // nil without doors
	Warnings    []string
}

// Webhook is one of step-ca's webhooks that may call.
type Webhook struct {
	Name    string // for logs and metrics
	ID      string
	Secrets []config.Secret // one, or two while one is replaced
	Policy  string          // empty where nothing is decided

	Accepts []posture.Accepts // one, or both of SSH
	// Identify gives the identifier, for each of Accepts that needs it; one may be missing where a SCEP challenge gives it.
	Identify map[posture.Accepts]*policy.Identify
	Params   []string // of the URL
	Kind     string   // the only one that it sends; empty means both
	// ProvisionerType and ProvisionerName are those of the provisioner that has it; empty if not known.
	ProvisionerType, ProvisionerName string
}

// Takes reports whether the webhook sends such requests.
func (w *Webhook) Takes(a posture.Accepts) bool { return slices.Contains(w.Accepts, a) }

// Load reads the policy file at a path and runs its tests: a file whose tests fail is not loaded. Its error has one line
// for each fault, with its place.
func Load(path string, s Surroundings) (*File, error) {
	f, err := Read(path, s)
	if err != nil {
		return nil, err
	}
	if err := f.checkTests(); err != nil {
		return nil, err
	}
	return f, nil
}

// Read is Load without running the tests.
func Read(path string, s Surroundings) (*File, error) {
	file, err := filesys.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, filesys.Cause(err))
	}
	defer file.Close()
	// One byte more than is accepted, so that document can say that there are too many.
	content, err := io.ReadAll(io.LimitReader(file, document.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, filesys.Cause(err))
	}
	f, err := parse(path, content, s)
	if err != nil {
		return nil, err
	}
	const others = 0o002
	if info, err := file.Stat(); err == nil && info.Mode().Perm()&others != 0 {
		f.Warnings = append(f.Warnings, path+": every user of this machine may write to the file, and so decide which devices pass")
	}
	return f, nil
}

func parse(path string, content []byte, s Surroundings) (*File, error) {
	d, root, err := document.Parse(path, content, Shape())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	f := &File{Hash: hex.EncodeToString(sum[:])}
	m := root.Mapping()
	if root.IsMapping() && !root.IsTagged() && m.Get("policies").IsEmpty() && m.Get("webhooks").IsEmpty() {
		root.Fault("at least one policy or webhook", "the file has neither policies nor webhooks")
	}
	secrets := &config.SecretReader{Folder: filepath.Dir(path), Environ: s.Environ, Skip: s.WithoutSecrets}
	f.Inventories = inventories(m.Get("inventories"), secrets, s)
	// One with a fault counts: to report it where it is used as well would mislead.
	names := m.Get("inventories").Keys()
	names = names[:min(len(names), maxInventories+1)] // faults list them
	if s.Inventory != "" && !slices.Contains(names, s.Inventory) {
		names = slices.Insert(names, 0, s.Inventory)
	}
	reader := policy.Reader{Inventories: names, DefaultInventory: s.Inventory, Codes: s.Codes, Gives: f.gives(s), MaxAge: f.maxAge}
	reader.Callers, reader.MoreCallers = callers(m.Get("webhooks"), m.Get("doors"), s)
	reader.Use = uses(m.Get("webhooks"), m.Get("doors"), s)
	reader.Parameters = parameters(m.Get("webhooks"))
	f.Policies = reader.Read(m.Get("policies"))
	if s.Inventory != "" && !m.Get("policies").Has("default") {
		f.Policies["default"] = reader.Implied("default", s.Inventory)
	}
	secrets.Skip = secrets.Skip || s.WithoutWebhooks
	names = policyNames(m.Get("policies"), f.Policies)
	f.Webhooks = webhooks(m.Get("webhooks"), names, secrets, s)
	f.readDoors(m.Get("doors"), names, filepath.Dir(path))
	f.checkWebhooks(m.Get("webhooks"), s)
	f.Clients = f.clients(m.Get("tokens").Mapping().Get("clients"), names, secrets)
	f.snapshotFiles(m.Get("inventories"), path, secrets.Files)
	if s.References != nil {
		*s.References = References{Secrets: secrets.Files, Variables: secrets.Variables}
		if f.Doors != nil {
			for _, file := range [...]string{f.Doors.Issuers, f.Doors.CRL} {
				if file != "" {
					s.References.Doors = append(s.References.Doors, file)
				}
			}
		}
		for _, i := range f.Inventories {
			s.References.Inventories = append(s.References.Inventories, i.Files()...)
			if i.Snapshot() != nil && i.Snapshot().Path != "" {
				s.References.Snapshots = append(s.References.Snapshots, i.Snapshot().Path)
			}
		}
	}
	f.unused(m, s)
	f.unmanaged(m.Get("policies"))
	for _, w := range d.Warnings() {
		f.Warnings = append(f.Warnings, w.Error())
	}
	if s.Inventory != "" && !f.asks(s.Inventory, s) {
		f.Warnings = append(f.Warnings, path+": no policy asks the inventory "+s.Inventory+", which PROVIDER in the environment names")
	}
	if faults := d.Faults(); len(faults) > 0 {
		return nil, faults
	}
	return f, nil
}

// policyNames are those of the file, also of policies with a fault, and the one that exists without being written.
func policyNames(v document.Value, read map[string]*policy.Policy) []string {
	names := v.Keys()
	for name := range read {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// inventories reads the sections of inventories.
func inventories(v document.Value, secrets *config.SecretReader, s Surroundings) (sections []*provider.Section) {
	for name, section := range v.Names() {
		if policy.CheckName(section, name) && name == s.Inventory {
			section.Key().Fault("another name", "PROVIDER in the environment names an inventory %s too", name)
		}
		if read := provider.ReadSection(name, section, secrets); read != nil {
			sections = append(sections, read)
		}
	}
	return sections
}

// unused warns of an inventory that no policy asks, and of a policy that no webhook has.
func (f *File) unused(m document.Mapping, s Surroundings) {
	used := map[string]bool{"default": f.defaultIsUsed(s)}
	for _, w := range f.Webhooks {
		used[w.Policy] = true
	}
	if f.Doors != nil {
		for _, d := range f.Doors.Doors {
			used[d.Policy] = true
		}
	}
	for name, v := range m.Get("inventories").Names() {
		if !f.asks(name, s) {
			v.Key().Warn("no policy asks this inventory")
		}
	}
	for name, v := range m.Get("policies").Names() {
		implied := f.Policies["default"] != nil && f.Policies["default"].Implied
		switch {
		case used[name]:
		// Fail closed: the webhooks of the environment would have a policy without rules, while its author sees rules.
		case implied && f.Policies[name] != nil && len(s.WebhookIDs) > 0 && document.Nearest(name, []string{"default"}) != "":
			v.Key().Fault("default, or a policy that a webhook has", "no webhook has this policy, and those of WEBHOOK_IDS have the policy default; did you mean default?")
		default:
			v.Key().Warn("%s", f.noUse())
		}
	}
}

// defaultIsUsed reports whether webhooks of the environment have the policy "default". Where they are not known, they
// may.
func (f *File) defaultIsUsed(s Surroundings) bool {
	return len(s.WebhookIDs) > 0 || s.WithoutSecrets || s.WithoutWebhooks
}

// asks reports whether a policy asks an inventory. The policy "default" that the file does not have counts only where it
// is used.
func (f *File) asks(inventory string, s Surroundings) bool {
	for _, p := range f.Policies {
		used := f.defaultIsUsed(s) || f.hasDoor(p.Name) || slices.ContainsFunc(f.Webhooks, func(w Webhook) bool { return w.Policy == p.Name })
		if (!p.Implied || used) && slices.Contains(slices.Concat(p.Inventories, p.AlsoIn), inventory) {
			return true
		}
	}
	return false
}

// checkTests makes a fault of each test that fails.
func (f *File) checkTests() error {
	var faults document.Faults
	for _, r := range f.RunTests() {
		if len(r.Differences) > 0 {
			faults = append(faults, r.Test.Value.AsFault(fmt.Sprintf("the test %q fails: %s", r.Test.Name, strings.Join(r.Differences, "; "))))
		}
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// Result is the result of one test of a policy.
type Result struct {
	Policy      string
	Test        policy.Test
	Differences []string // none if it has passed
}

// RunTests runs the tests of all policies, by the names of the policies and in the order of the file.
func (f *File) RunTests() (results []Result) {
	for _, name := range slices.Sorted(maps.Keys(f.Policies)) {
		p := f.Policies[name]
		for _, test := range p.Tests {
			results = append(results, Result{name, test, test.Run(p)})
		}
	}
	return results
}

// gives returns a function for the facts that an inventory can ever give.
func (f *File) gives(s Surroundings) func(inventory string) posture.FactSet {
	facts := map[string]posture.FactSet{}
	if s.Inventory != "" {
		facts[s.Inventory] = provider.FactsOf(s.Inventory)
	}
	for _, i := range f.Inventories {
		facts[i.Name] = i.Facts()
	}
	return func(inventory string) posture.FactSet {
		if known, ok := facts[inventory]; ok {
			return known
		}
		return posture.AllFacts()
	}
}

// Package provider is the table of inventories.
package provider

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy"
	"step-posture-connector/internal/provider/apple"
	"step-posture-connector/internal/provider/file"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/httpjson"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/sqlquery"
	"step-posture-connector/internal/snapshot"
)

// kinds names every provider, once.
func kinds() map[string]entry {
	return map[string]entry{
		"addigy":         kind(addigy.Open),
		"apple_business": kind(apple.Open),
		"file":           kind(file.Open),
		"fleet":          kind(fleet.Open),
		"http":           kind(httpjson.Open),
		"intune":         kind(intune.Open),
		"iru":            kind(iru.Open),
		"jamf":           kind(jamf.Open),
		"mosyle":         kind(mosyle.Open),
		"sql":            kind(sqlquery.Open),
	}
}

// settings is the Config of a provider. The method Requirements is mandatory: without it, forgotten requirements would ask
// nothing of a device. Optional methods are
//
//	DefaultType() posture.DeviceType // the type of device for a request without a mode
//	Facts() posture.FactSet          // those that the provider can ever give; without it, all
//	Files() []string                 // the files that the inventory is read from
//	ConfiguredBy() []string          // small files that are settings: a section is read again when one changes
//	Problems() config.Problems       // problems that the tags of the fields cannot find
//	ReadFacts()                      // of a pointer: facts are read from what is opened, because a policy may ask for them
//	Listable()                       // devices can be listed, so that a section may have a snapshot
//	NoSnapshot() string              // why a section may have none
//	Account() string                 // what else than keys that are no secrets decides which records there are
type settings interface {
	Requirements() posture.Requirements
}

// sectioned is a pointer to the Config of a provider that only a policy file can configure, because its settings are more
// than texts.
type sectioned interface {
	// SectionShape declares the section. Others are keys that the table reads.
	SectionShape(others ...document.Key) *document.Shape
	// ReadSection reads it. What is wrong is reported to the document.
	ReadSection(s config.Section) config.Identity
}

// Inventory is an inventory that is open.
type Inventory struct {
	Name     string // in policies
	Kind     string // the name of the provider
	Provider posture.Provider
	Required
	// Files are the paths of the files that it is read from.
	Files []string
	// Snapshot says how a copy is kept; nil means that there is none.
	Snapshot *snapshot.Settings
	// Account distinguishes the records of this inventory from those of another, for a copy that was kept in a file.
	Account string
}

// entry is one kind of inventory.
type entry struct {
	variables []string
	open      func(environ map[string]string, facts bool) (Inventory, []string, error)
	files     func(environ map[string]string) []string
	shape     func(prefix string, others ...document.Key) *document.Shape
	section   func(s config.Section) parsed
	required  func(environ map[string]string) Required
	facts     posture.FactSet // that it can ever give
	// noSnapshot is why a section may have no snapshot; empty where it may.
	noSnapshot string
	// fileOnly says that only a policy file can configure it.
	fileOnly bool
}

// parsed is what a section of a policy file says.
type parsed struct {
	Required

	identity config.Identity
	files    []string
	facts    posture.FactSet // that it can ever give
	snapshot *snapshot.Settings
	open     func() (Inventory, []string, error)
	offline  func(Sample) posture.Provider // nil where the provider has no mapping
}

// kind derives an entry from a provider's Open function and the Config that it takes.
func kind[C settings](open func(C) (posture.Provider, []string, error)) entry {
	parse := func(environ map[string]string, facts bool) (c C, problems config.Problems) {
		problems = config.Parse(environ, &c)
		if more, ok := any(c).(interface{ Problems() config.Problems }); ok {
			problems = append(problems, more.Problems()...)
		}
		readFacts(&c, facts)
		return c, problems
	}
	_, fileOnly := any(new(C)).(sectioned)
	return entry{
		variables: config.Variables[C](),
		facts:     factsOf(*new(C)),
		shape:     sectionShape[C],
		fileOnly:  fileOnly,

		noSnapshot: noSnapshot(*new(C)),
		files: func(environ map[string]string) []string {
			c, _ := parse(environ, false) // open returns the problems
			return filesOf(c)
		},
		open: func(environ map[string]string, facts bool) (Inventory, []string, error) {
			c, problems := parse(environ, facts)
			if len(problems) > 0 {
				return Inventory{}, nil, problems
			}
			i, warnings, err := opened(open, c)
			return i, append(config.Doubts[C](environ), warnings...), err
		},
		section: func(s config.Section) parsed {
			var c C
			identity := readSection(s, &c)
			readFacts(&c, true)
			p := parsed{
				Required: requiredBy(c), identity: identity, files: filesOf(c), facts: factsOf(c),
				open: func() (Inventory, []string, error) { return opened(open, c) },
			}
			if mapped, ok := any(c).(interface {
				Offline(s Sample) posture.Provider
			}); ok {
				p.offline = mapped.Offline
			}
			return p
		},
		required: func(environ map[string]string) Required {
			c, _ := parse(withoutSecretFiles(environ, config.Variables[C]()), false)
			return requiredBy(c)
		},
	}
}

// noSnapshot is why a section may have no snapshot; empty where it may.
func noSnapshot(c any) string {
	if refuses, ok := c.(interface{ NoSnapshot() string }); ok {
		return refuses.NoSnapshot()
	}
	if _, listable := c.(interface{ Listable() }); listable {
		return ""
	}
	return "the provider cannot list its devices, so that no copy of them can be kept"
}

func sectionShape[C settings](prefix string, others ...document.Key) *document.Shape {
	if own, ok := any(new(C)).(sectioned); ok {
		return own.SectionShape(others...)
	}
	return config.SectionShape[C](prefix, others...)
}

// readSection reads a section. What is wrong is reported to the document.
func readSection[C settings](s config.Section, c *C) config.Identity {
	var identity config.Identity
	if own, ok := any(c).(sectioned); ok {
		identity = own.ReadSection(s)
	} else {
		identity, _ = config.ParseSection(s, c)
	}
	identity.Settings = withContents(identity.Settings, s, *c)
	if more, ok := any(*c).(interface{ Account() string }); ok {
		identity.Account = sha256.Sum256(append(identity.Account[:], more.Account()...))
	}
	return identity
}

func readFacts(c any, facts bool) {
	if reader, ok := c.(interface{ ReadFacts() }); ok && facts {
		reader.ReadFacts()
	}
}

func filesOf(c any) []string {
	if reads, ok := c.(interface{ Files() []string }); ok {
		return reads.Files()
	}
	return nil
}

// opened opens an inventory as c configures it.
func opened[C settings](open func(C) (posture.Provider, []string, error), c C) (Inventory, []string, error) {
	provider, more, err := open(c)
	warnings := slices.Concat(ungrouped(c.Requirements(), config.Variables[C]()), more)
	if err != nil {
		return Inventory{}, warnings, err
	}
	return Inventory{Provider: provider, Required: requiredBy(c), Files: filesOf(c)}, warnings, nil
}

// ungrouped warns where a group is required of one type of device only. The suffixes of the variables say which is which.
func ungrouped(required posture.Requirements, variables []string) []string {
	types := []struct {
		of              posture.DeviceType
		devices, suffix string
	}{{posture.Computer, "computers", "_COMPUTER_GROUP"}, {posture.MobileDevice, "mobile devices", "_DEVICE_GROUP"}}
	variable := func(i int) string {
		found := slices.IndexFunc(variables, func(name string) bool { return strings.HasSuffix(name, types[i].suffix) })
		if found < 0 {
			return "the group of " + types[i].devices
		}
		return variables[found]
	}
	for i, set := range types {
		if other := types[1-i]; required.Groups[set.of] != "" && required.Groups[other.of] == "" {
			return []string{fmt.Sprintf("%s is set and %s is not: %s pass without a group", variable(i), variable(1-i), other.devices)}
		}
	}
	return nil
}

// Open opens the named provider as environ configures it; facts says whether a policy may read facts. The strings are
// warnings for the operator.
func Open(name string, environ map[string]string, facts bool) (Inventory, []string, error) {
	entry, known := kinds()[name]
	if !known || entry.fileOnly {
		text := "unknown provider"
		switch {
		case name == "":
			text = "not set"
		case entry.fileOnly:
			text = name + " is configured in a policy file only, as provider: " + name
		}
		return Inventory{}, nil, config.Problems{{Variable: "PROVIDER", Text: text, Accepted: accepted()}}
	}
	i, warnings, err := entry.open(environ, facts)
	i.Name, i.Kind = name, name
	return i, warnings, err
}

// Names returns the names of all providers, sorted.
func Names() []string { return slices.Sorted(maps.Keys(kinds())) }

// accepted are those that the environment can configure.
func accepted() string {
	all := kinds()
	return strings.Join(slices.DeleteFunc(Names(), func(name string) bool { return all[name].fileOnly }), " or ")
}

// Files returns the paths of the files that the named provider reads its inventory from.
func Files(name string, environ map[string]string) []string {
	entry, known := kinds()[name]
	if !known {
		return nil
	}
	return entry.files(environ)
}

// MakesRequests reports whether the named provider asks a server.
func MakesRequests(name string) bool { return slices.Contains(kinds()[name].variables, "TIMEOUT") }

// Unused warns of variables that are set, but that only providers other than the named one read; no name means that there
// is none.
func Unused(name string, environ map[string]string) []string {
	chosen, known := kinds()[name]
	if !known && name != "" {
		return nil // Open reports it
	}
	is := "PROVIDER is " + name
	if name == "" {
		is = "PROVIDER is not set"
	}
	var warnings []string
	for _, other := range Names() {
		variables := kinds()[other].variables
		if other != name { // Renamed has warned of those of the chosen one
			variables = slices.Concat(variables, slices.Sorted(maps.Keys(formerVariables(other))))
		}
		unread := slices.DeleteFunc(variables, func(variable string) bool {
			return environ[variable] == "" || variable == "TIMEOUT" || slices.Contains(chosen.variables, variable)
		})
		if len(unread) > 0 {
			warnings = append(warnings, fmt.Sprintf("%s: set, but %s; only the provider %s reads this", strings.Join(unread, ", "), is, other))
		}
	}
	return warnings
}

// Variables returns the environment variables of all providers.
func Variables() []string {
	var names []string
	for _, entry := range kinds() {
		names = append(names, entry.variables...)
	}
	return names
}

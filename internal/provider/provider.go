// Package provider is the table of inventories.
package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
	"step-posture-connector/internal/provider/jamf"
)

// kinds names every provider, once.
func kinds() map[string]entry {
	return map[string]entry{
		"file": kind(file.Open),
		"jamf": kind(jamf.Open),
	}
}

// settings is the Config of a provider. The method Policy is mandatory: without it, a forgotten policy would require
// nothing of a device. Optional methods are
//
//	DefaultType() posture.DeviceType // the type of device for a request without a mode
//	Files() []string                 // the files that the inventory is read from
//	Problems() config.Problems       // problems that the tags of the fields cannot find
type settings interface {
	Policy() posture.Policy
}

// entry is one kind of inventory.
type entry struct {
	variables []string
	files     func(environ map[string]string) []string
	open      func(environ map[string]string) (posture.Decider, []string, error)
	section   func(s config.Section)
}

// kind derives an entry from a provider's Open function and the Config that it takes.
func kind[C settings](open func(C) (posture.Provider, []string, error)) entry {
	return entry{
		variables: config.Variables[C](),
		files: func(environ map[string]string) []string {
			var c C
			_ = config.Parse(environ, &c) // open returns the problems
			if reads, ok := any(c).(interface{ Files() []string }); ok {
				return reads.Files()
			}
			return nil
		},
		open: func(environ map[string]string) (posture.Decider, []string, error) {
			var c C
			problems := config.Parse(environ, &c)
			if more, ok := any(c).(interface{ Problems() config.Problems }); ok {
				problems = append(problems, more.Problems()...)
			}
			if len(problems) > 0 {
				return posture.Decider{}, nil, problems
			}
			provider, more, err := open(c)
			warnings := slices.Concat(config.Doubts[C](environ), ungrouped(c.Policy(), config.Variables[C]()), more)
			if err != nil {
				return posture.Decider{}, warnings, err
			}
			decider := posture.Decider{Provider: provider, Policy: c.Policy()}
			if typed, ok := any(c).(interface{ DefaultType() posture.DeviceType }); ok {
				decider.DefaultType = typed.DefaultType()
			}
			return decider, warnings, nil
		},
		section: func(s config.Section) {
			var c C
			config.ParseSection(s, &c)
		},
	}
}

// ungrouped warns where a group is required of one type of device only. The suffixes of the variables say which is which.
func ungrouped(policy posture.Policy, variables []string) []string {
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
		if other := types[1-i]; policy.RequiredGroups[set.of] != "" && policy.RequiredGroups[other.of] == "" {
			return []string{fmt.Sprintf("%s is set and %s is not: %s pass without a group", variable(i), variable(1-i), other.devices)}
		}
	}
	return nil
}

// Open opens the named provider as environ configures it. The strings are warnings for the operator.
func Open(name string, environ map[string]string) (posture.Decider, []string, error) {
	entry, known := kinds()[name]
	if !known {
		text := "unknown provider"
		if name == "" {
			text = "not set"
		}
		names := strings.Join(slices.Sorted(maps.Keys(kinds())), " or ")
		return posture.Decider{}, nil, config.Problems{{Variable: "PROVIDER", Text: text, Accepted: names}}
	}
	decider, warnings, err := entry.open(environ)
	decider.Name = name
	return decider, warnings, err
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

// Unused warns of variables that are set, but that only providers other than the named one read.
func Unused(name string, environ map[string]string) []string {
	chosen, known := kinds()[name]
	if !known {
		return nil
	}
	var warnings []string
	for _, other := range slices.Sorted(maps.Keys(kinds())) {
		unread := slices.DeleteFunc(kinds()[other].variables, func(variable string) bool {
			return environ[variable] == "" || variable == "TIMEOUT" || slices.Contains(chosen.variables, variable)
		})
		if len(unread) > 0 {
			warnings = append(warnings, fmt.Sprintf("%s: set, but PROVIDER is %s; only the provider %s reads this", strings.Join(unread, ", "), name, other))
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

// Section is an inventory of a policy file.
type Section struct {
	Name string
	Kind string // the provider
}

// ReadSection reads an inventory of a policy file. What is wrong is reported to the document. It returns nil where the
// provider is not known.
func ReadSection(name string, v document.Value, folder string, environ map[string]string, withoutSecrets bool) *Section {
	accepted := strings.Join(slices.Sorted(maps.Keys(kinds())), " or ")
	var kindOf string
	var named bool
	for key, value := range v.Names() {
		if key != "provider" {
			continue
		}
		named = true
		text, ok := value.Text()
		if _, known := kinds()[text]; ok && !known {
			value.Fault(accepted, "unknown provider")
		}
		kindOf = text
	}
	entry, known := kinds()[kindOf]
	if !known {
		if !named {
			v.Missing("provider", accepted)
		}
		return nil
	}
	entry.section(config.Section{
		Value: v, Prefix: strings.ToUpper(kindOf) + "_", Others: []string{"provider"}, Folder: folder, Environ: environ, WithoutSecrets: withoutSecrets,
	})
	return &Section{Name: name, Kind: kindOf}
}

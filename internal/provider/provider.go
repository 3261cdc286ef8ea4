// Package provider is the catalogue of inventories.
package provider

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/file"
	"step-posture-connector/internal/provider/jamf"
)

// catalogue names every provider, once.
func catalogue() map[string]entry {
	return map[string]entry{
		"file": kind(file.Open),
		"jamf": kind(jamf.Open),
	}
}

// entry is one kind of inventory.
type entry struct {
	variables []string
	files     func(environ map[string]string) []string
	open      func(environ map[string]string) (posture.Decider, []string, error)
}

// kind derives an entry from a provider's Open function and the Config that it takes.
func kind[C any](open func(C) (posture.Decider, []string, error)) entry {
	return entry{
		variables: config.Variables[C](),
		files: func(environ map[string]string) []string {
			var c C
			_ = config.Parse(environ, &c) // open tells what is wrong
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
			decider, warnings, err := open(c)
			return decider, append(config.Doubts[C](environ), warnings...), err
		},
	}
}

// Open opens the named provider as environ configures it. The strings are warnings for the operator.
func Open(name string, environ map[string]string) (posture.Decider, []string, error) {
	entry, known := catalogue()[name]
	if !known {
		text := "there is no such provider"
		if name == "" {
			text = "not set"
		}
		names := strings.Join(slices.Sorted(maps.Keys(catalogue())), " or ")
		return posture.Decider{}, nil, config.Problems{{Variable: "PROVIDER", Text: text, Accepted: names}}
	}
	decider, warnings, err := entry.open(environ)
	decider.Name = name
	return decider, warnings, err
}

// Files returns the paths of the files that the named provider reads its inventory from.
func Files(name string, environ map[string]string) []string {
	entry, known := catalogue()[name]
	if !known {
		return nil
	}
	return entry.files(environ)
}

// MakesRequests reports whether the named provider asks a server.
func MakesRequests(name string) bool { return slices.Contains(catalogue()[name].variables, "TIMEOUT") }

// Unused warns of variables that are set, but that only providers other than the named one read.
func Unused(name string, environ map[string]string) []string {
	chosen, known := catalogue()[name]
	if !known {
		return nil
	}
	var warnings []string
	for _, other := range slices.Sorted(maps.Keys(catalogue())) {
		unread := slices.DeleteFunc(catalogue()[other].variables, func(variable string) bool {
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
	for _, entry := range catalogue() {
		names = append(names, entry.variables...)
	}
	return names
}

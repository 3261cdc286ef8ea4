package provider

import (
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
)

// former has the names that providers had before, each with the one that it has now. Both may be written; messages, metrics
// and logs have the present one.
func former() map[string]string {
	return map[string]string{"kandji": "iru"}
}

// present is the name that a provider has now.
func present(name string) string {
	if now, renamed := former()[name]; renamed {
		return now
	}
	return name
}

// formerVariables are the variables of a provider under its former names, each with its present name.
func formerVariables(name string) map[string]string {
	variables := map[string]string{}
	for before, now := range former() {
		if now != name {
			continue
		}
		for _, variable := range kinds()[now].variables {
			if rest, own := strings.CutPrefix(variable, prefix(now)); own {
				variables[prefix(before)+rest] = variable
			}
		}
	}
	return variables
}

// FormerVariables returns the environment variables of all providers that had another name before, under that name.
func FormerVariables() []string {
	var names []string
	for _, name := range Names() {
		names = slices.AppendSeq(names, maps.Keys(formerVariables(name)))
	}
	slices.Sort(names)
	return names
}

// Renamed returns the environment with the present names of PROVIDER and of that provider's variables, where it has former
// ones. Warnings of the environment name them. It is an error where a variable is set under both names.
func Renamed(e config.Environment) (config.Environment, error) {
	name := e.Variables["PROVIDER"]
	now := present(name)
	renamed, problems := e.Renamed(formerVariables(now))
	if now != name {
		renamed = renamed.Replaced("PROVIDER", now)
	}
	if len(problems) > 0 {
		return config.Environment{}, problems
	}
	return renamed, nil
}

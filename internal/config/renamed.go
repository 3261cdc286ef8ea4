package config

import (
	"fmt"
	"maps"
	"slices"
)

// Renamed returns the environment in which variables with a former name are set under the present one too; former has the
// present name of each. Warnings of the result name those that are set. A variable that is set under both names is a problem: to
// choose one would be a guess.
func (e Environment) Renamed(former map[string]string) (Environment, Problems) {
	renamed, problems := e, Problems(nil)
	for _, before := range slices.Sorted(maps.Keys(former)) {
		value, now := e.Variables[before], former[before]
		switch {
		case value == "":
		case e.Variables[now] != "":
			problems = append(problems, Problem{Variable: before, Text: "given together with " + now + ", which is its present name", Accepted: "one of the two"})
		default:
			renamed = renamed.with(now, value, fmt.Sprintf("%s is the former name of %s; write that", before, now))
		}
	}
	return renamed, problems
}

// Replaced returns the environment in which a variable has the present form of its value. Warnings of the result say so.
func (e Environment) Replaced(variable, value string) Environment {
	return e.with(variable, value, fmt.Sprintf("%s: %s is the former name of %s; write that", variable, e.Variables[variable], value))
}

// implying returns the environment with a variable that another one implies.
func (e Environment) implying(variable, value string) Environment {
	e.Variables = maps.Clone(e.Variables)
	e.Variables[variable] = value
	return e
}

func (e Environment) with(variable, value, warning string) Environment {
	e.Variables = maps.Clone(e.Variables)
	e.Variables[variable] = value
	e.renamed = append(slices.Clone(e.renamed), warning)
	return e
}

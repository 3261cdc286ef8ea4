package provider

import (
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/posture"
)

// Required is what the settings of an inventory ask of a device and of a query. It is known before the inventory is open.
type Required struct {
	Requirements posture.Requirements
	// DefaultType is the device type of a query without one. It is empty where the inventory does not
	// distinguish types.
	DefaultType posture.DeviceType
}

func requiredBy(c settings) Required {
	r := Required{Requirements: c.Requirements()}
	if typed, ok := c.(interface{ DefaultType() posture.DeviceType }); ok {
		r.DefaultType = typed.DefaultType()
	}
	return r
}

// FactsOf are the facts that the named provider can ever give.
func FactsOf(name string) posture.FactSet {
	entry, known := kinds()[name]
	if !known {
		return posture.AllFacts()
	}
	return entry.facts
}

func factsOf(c any) posture.FactSet {
	if some, ok := c.(interface{ Facts() posture.FactSet }); ok {
		return some.Facts()
	}
	return posture.AllFacts()
}

// RequiredOf is what the named provider asks as environ configures it. It opens nothing and reads no secret; what is wrong
// in environ is reported when the provider is opened.
func RequiredOf(name string, environ map[string]string) Required {
	entry, known := kinds()[name]
	if !known {
		return Required{}
	}
	return entry.required(environ)
}

// withoutSecretFiles returns environ without the NAME_FILE of each secret NAME among variables.
func withoutSecretFiles(environ map[string]string, variables []string) map[string]string {
	less := maps.Clone(environ)
	maps.DeleteFunc(less, func(variable, _ string) bool {
		name, isFile := strings.CutSuffix(variable, "_FILE")
		return isFile && slices.Contains(variables, variable) && slices.Contains(variables, name)
	})
	return less
}

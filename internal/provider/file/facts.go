package file

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// The facts that are more than one value of a device.
const (
	identifierFact = "device.identifier"
	attributesFact = "device.attributes"
	managedFact    = "device.managed"
	typeFact       = "device.type"
)

// nearMiss is how many letters of a fact's name may be wrong until a column is taken for one of data.
const nearMiss = 2

// vocabulary is the facts that a file may have. An inventory that no policy reads has none: nil.
type vocabulary struct {
	names  []string
	byName map[string]*posture.Definition

	// always is read in every lookup: whether a device is managed, and its type, are judged without a rule.
	always, attributes posture.FactSet
}

func newVocabulary() *vocabulary {
	v := &vocabulary{
		byName: map[string]*posture.Definition{}, always: posture.MustFacts(managedFact, typeFact), attributes: posture.MustFacts(attributesFact),
	}
	for _, d := range posture.Vocabulary() {
		v.names = append(v.names, d.Name)
		v.byName[d.Name] = d
	}
	return v
}

// unknown is the fault of a name that is no fact's. What it accepts are the facts of the device or of its user,
// whichever the name is about.
func (v *vocabulary) unknown(name string) error {
	about, _, _ := strings.Cut(strings.ToLower(name), ".")
	accepted := slices.DeleteFunc(slices.Clone(v.names), func(fact string) bool { return !strings.HasPrefix(fact, about+".") })
	if len(accepted) == 0 {
		accepted = v.names
	}
	return &refusal{fmt.Sprintf("unknown fact %.40q", name) + didYouMean(strings.ToLower(name), v.names), strings.Join(accepted, ", ")}
}

func didYouMean(name string, names []string) string {
	near := document.Nearest(name, names)
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

// column returns the fact of a column, or nil for a column of data. A name that is nearly a fact's is an error: as
// data, it would leave the fact unknown, and the administrator could not see why.
func (v *vocabulary) column(name string) (*posture.Definition, error) {
	d := v.byName[name]
	if d == nil && v.looksLikeFact(name) {
		return nil, fmt.Errorf("%w, or for data a name without device. or user. at its beginning", v.unknown(name))
	}
	return d, nil
}

// looksLikeFact reports whether a name that is no fact's was probably meant to be.
func (v *vocabulary) looksLikeFact(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "device.") || strings.HasPrefix(name, "user.") ||
		strings.Contains(name, ".") && slices.ContainsFunc(v.names, func(fact string) bool {
			return name[0] == fact[0] && levenshtein.ComputeDistance(name, fact) <= nearMiss
		})
}

// refusal is what is wrong with a fact, and what is right.
type refusal struct{ fault, accepted string }

func (r *refusal) Error() string { return r.fault + "; accepted: " + r.accepted }

// refusals are all that is wrong with the facts of one device.
type refusals []error

func (r refusals) Error() string {
	texts := make([]string, len(r))
	for i, fault := range r {
		texts[i] = fault.Error()
	}
	return strings.Join(texts, "\n")
}

func (r refusals) orNil() error {
	if len(r) == 0 {
		return nil
	}
	return r
}

// unread warns of columns that are facts, in an inventory that no policy reads.
func unread(line int, names []string) string {
	all := posture.AllFacts().Names()
	facts := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(all, name) })
	if len(facts) == 0 {
		return ""
	}
	return fmt.Sprintf("line %d: facts are read only with POLICY_PATH; without it these columns are data: %s", line, listed(facts))
}

package audit

import (
	"iter"
	"strings"

	"step-posture-connector/internal/posture"
)

// vocabulary is the one of posture, as lines have it: an object for the device and one for its user.
type vocabulary struct {
	parts [2]part
	// always are the facts that every record has or lacks, no matter who reads them.
	always posture.FactSet
}

// part is one of the objects of a record.
type part struct {
	of    string
	names []string
	facts []*posture.Definition
}

func newVocabulary() *vocabulary {
	v := &vocabulary{
		parts:  [...]part{{of: "device"}, {of: "user"}},
		always: posture.MustFacts("device.identifier", "device.type", "device.managed"),
	}
	for _, d := range posture.Vocabulary() {
		for i := range v.parts {
			if name, ok := strings.CutPrefix(d.Name, v.parts[i].of+"."); ok {
				v.parts[i].names, v.parts[i].facts = append(v.parts[i].names, name), append(v.parts[i].facts, d)
			}
		}
	}
	return v
}

// all are the facts with their names in the object.
func (p part) all() iter.Seq2[string, *posture.Definition] {
	return func(yield func(string, *posture.Definition) bool) {
		for i, name := range p.names {
			if !yield(name, p.facts[i]) {
				return
			}
		}
	}
}

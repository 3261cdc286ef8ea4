package provider

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/snapshot"
)

// Section is an inventory of a policy file, which is not open yet.
type Section struct {
	Name string
	Kind string // the provider

	parsed
	keys *strings.Replacer // from variables to keys of the section
}

// Files are the files that the inventory is read from.
func (s *Section) Files() []string { return s.files }

// Facts are those that the inventory can ever give.
func (s *Section) Facts() posture.FactSet { return s.facts }

// Snapshot says how a copy is kept; nil means that there is none.
func (s *Section) Snapshot() *snapshot.Settings { return s.snapshot }

// Same reports whether both sections configure the same inventory, secrets included.
func (s *Section) Same(other *Section) bool {
	return s.Name == other.Name && s.Kind == other.Kind && s.identity == other.identity && s.snapshot.Same(other.snapshot)
}

// Open opens the inventory. The strings are warnings for the operator.
func (s *Section) Open() (Inventory, []string, error) {
	i, warnings, err := s.open()
	i.Name, i.Kind, i.Snapshot, i.Account = s.Name, s.Kind, s.snapshot, hex.EncodeToString(s.identity.Account[:])
	for w := range warnings {
		warnings[w] = "inventory " + s.Name + ": " + s.keys.Replace(warnings[w])
	}
	if problems := config.Problems(nil); errors.As(err, &problems) {
		faults := make([]error, len(problems))
		for p := range problems {
			faults[p] = errors.New("inventory " + s.Name + ": " + s.keys.Replace(problems[p].Error()))
		}
		err = errors.Join(faults...)
	} else if err != nil {
		err = fmt.Errorf("inventory %s: %w", s.Name, err)
	}
	return i, warnings, err
}

// Shape declares an inventory of a policy file: its keys depend on the provider.
func Shape() *document.Shape {
	names := Names()
	shape := &document.Shape{Type: document.Map, Name: "inventory", By: "provider"}
	words := slices.Concat(names, slices.Sorted(maps.Keys(former())))
	for _, name := range names {
		word := &document.Shape{Type: document.Text, Words: words, Accepted: strings.Join(names, " or "), About: "What kind of inventory it is; the other keys depend on it."}
		others := []document.Key{document.Required("provider", word)}
		refused := kinds()[name].noSnapshot
		if refused == "" {
			others = append(others, document.Optional(snapshotKey, snapshot.Shape()))
		}
		of := kinds()[name].shape(prefix(name), others...)
		if refused != "" {
			of.Refused = map[string]string{snapshotKey: refused}
		}
		of.Name = "inventory_" + name
		shape.Cases = append(shape.Cases, document.Case{Word: name, Shape: of})
	}
	for _, before := range words[len(names):] {
		of := shape.Cases[slices.Index(names, present(before))].Shape
		shape.Cases = append(shape.Cases, document.Case{Word: before, Shape: of})
	}
	return shape
}

// snapshotKey says how a copy of an inventory is kept.
const snapshotKey = "snapshot"

// prefix is what the names of a provider's own variables begin with.
func prefix(name string) string { return strings.ToUpper(name) + "_" }

// ReadSection reads an inventory of a policy file. What is wrong is reported to the document. It returns nil where the
// provider is not known.
func ReadSection(name string, v document.Value, secrets *config.SecretReader) *Section {
	kindOf, v, known := v.As(Shape()).Case()
	if !known {
		return nil
	}
	kindOf = present(kindOf)
	section := config.Section{Value: v, Prefix: prefix(kindOf), Secrets: secrets}
	read := &Section{Name: name, Kind: kindOf}
	read.parsed = kinds()[kindOf].section(section)
	if kinds()[kindOf].noSnapshot == "" {
		read.snapshot = snapshot.ReadSettings(v.Member(snapshotKey), secrets.Folder)
	}
	keys := []string{config.StartFolder, config.PolicyFolder}
	for _, variable := range kinds()[kindOf].variables {
		keys = append(keys, variable, section.Key(variable))
	}
	read.keys = strings.NewReplacer(keys...)
	return read
}

package file

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/compact"
	"step-posture-connector/internal/posture"
)

// formatMember is the first member of a snapshot's file, and formatOne its only value.
const (
	formatMember = "format"
	formatOne    = "1"
)

// dataFact stands among the facts of a snapshot for the data of its devices.
const dataFact = "data"

// snapshot is what a file says of itself that keeps a copy of another inventory. Package snapshot documents and writes
// it. The whole of it is checked: a file that was cut off, or is of a newer version, could leave out what refuses a device.
type snapshot struct {
	inventory string
	begun     time.Time
	facts     posture.FactSet // that were fetched, posture.Document for the data
}

// snapshotMembers are those of the file's object, in their order. Only lists may be missing.
func snapshotMembers() []string {
	return []string{formatMember, "inventory", "settings", "begun_at", "facts", "total", "complete", "lists", "devices", "end"}
}

// readSnapshot reads a member of the file's object.
func (s *store) readSnapshot(name string, value jsontext.Value) error {
	if s.vocabulary == nil {
		return errors.New("the file is a snapshot, which is read only with POLICY_PATH: without it every device would count as managed")
	}
	kind, accepted, valid := value.Kind(), "", false
	switch name {
	case formatMember:
		accepted, valid = formatOne, string(value) == formatOne
	case "inventory":
		if accepted, valid = "text", kind == '"'; valid {
			s.snapshot.inventory = unquote(value)
		}
	case "settings":
		accepted, valid = "text", kind == '"'
	case "begun_at":
		var err error
		if kind == '"' {
			s.snapshot.begun, err = time.Parse(time.RFC3339, unquote(value))
		}
		accepted, valid = acceptedTime, kind == '"' && err == nil
	case "facts":
		return s.readFetched(value)
	case "total":
		accepted, valid = "a number, or null", kind == 'n' || isDigits(value)
	case "complete":
		accepted, valid = acceptedBool, kind == 't' || kind == 'f'
	case "lists":
		accepted, valid = "an object", kind == '{'
	case "end":
		accepted, valid = "true", kind == 't'
	default:
		return fmt.Errorf("the file has the unknown member %.40q; accepted in a snapshot: %s", name, strings.Join(snapshotMembers(), ", "))
	}
	if !valid {
		return fmt.Errorf("the file has a member %q that is not valid: %s; accepted: %s", name, shown(value), accepted)
	}
	return nil
}

// readFetched reads the names of the facts that were fetched.
func (s *store) readFetched(value jsontext.Value) error {
	if value.Kind() != '[' {
		return fmt.Errorf(`the file has a member "facts" that is not valid: %s; accepted: a list of names`, shown(value))
	}
	s.snapshot.facts = s.vocabulary.always | posture.MustFacts(identifierFact)
	return eachElement(value, func(element jsontext.Value) error {
		name := ""
		if element.Kind() == '"' {
			name = unquote(element)
		}
		d := s.vocabulary.byName[name]
		switch {
		case d != nil:
			s.snapshot.facts |= d.Set()
		case name == dataFact:
			s.snapshot.facts |= posture.Document
		default:
			return fmt.Errorf(`the file has in its member "facts" %s, which is no fact`, shown(element))
		}
		return nil
	})
}

// whole refuses a snapshot without all of its members, or with some behind its end.
func (s *snapshot) whole(seen []string) error {
	if s == nil {
		return nil
	}
	for _, name := range snapshotMembers() {
		if name != "lists" && !slices.Contains(seen, name) {
			return fmt.Errorf("the file is a snapshot without the member %q: was it written completely?", name)
		}
	}
	if last := seen[len(seen)-1]; last != "end" {
		return fmt.Errorf("the file has the member %q behind its end", last)
	}
	return nil
}

// origin says of what a file is a snapshot, for the operator.
func (s *snapshot) origin() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf(", a snapshot of the inventory %.40q that began at %s", s.inventory, s.begun.UTC().Format(time.RFC3339))
}

// gives are the facts that lookups can give, posture.Document included.
func (s *store) gives() posture.FactSet {
	switch {
	case s.snapshot != nil:
		return s.snapshot.facts
	case s.vocabulary != nil:
		return posture.AllFacts() | posture.Document
	}
	return posture.MustFacts(identifierFact, managedFact) | posture.Document
}

// fetched refuses a question about facts that a snapshot was not made with. They are not unknown: a rule that asks whether
// a fact is unknown must not be met by it.
func (s *store) fetched(q posture.Query) error {
	if s.snapshot == nil {
		return nil
	}
	missing := q.Facts &^ q.Recorded &^ s.snapshot.facts
	if missing == 0 {
		return nil
	}
	names := missing.Names()
	if missing.Has(posture.Document) {
		names = append(names, "the data")
	}
	return fmt.Errorf("the snapshot was made without %s", strings.Join(names, ", "))
}

// mark says why a snapshot has a device without its record.
type mark uint8

const (
	unmarked  mark = iota
	ambiguous      // the inventory has several
	damaged        // a lookup fails
)

var errDamaged = errors.New("the snapshot has no record of the device, because the inventory's was damaged")

// err is the answer about such a device.
func (m mark) err() error {
	switch m {
	case ambiguous:
		return posture.ErrAmbiguous
	case damaged:
		return errDamaged
	default:
		return nil
	}
}

// mark reads the members of a device that only a snapshot has.
func (e *element) mark() (found mark, err error) {
	if len(e.Others) <= len("{}") {
		return unmarked, nil
	}
	err = eachMember(e.Others, func(name string, value jsontext.Value) error {
		isTrue := value.Kind() == 't'
		switch {
		case name == "list" && (string(value) == `"computer"` || string(value) == `"mobiledevice"`):
		case name == "duplicate" && isTrue:
			found = ambiguous
		case name == "damaged" && isTrue:
			if found == unmarked { // of several records none is read
				found = damaged
			}
		default:
			return &refusal{fmt.Sprintf("unknown member %.40q of a snapshot's device, or a value that it cannot have", name), `"list": "computer", "list": "mobiledevice", "duplicate": true, "damaged": true`}
		}
		return nil
	})
	return found, err
}

// markRow notes what a snapshot answers about the device of a row that was added. An identifier that stands twice, such as
// in the lists of both kinds of devices, is ambiguous.
func (s *store) markRow(m mark, row []byte, repeated bool) error {
	if repeated {
		m = ambiguous
	}
	if m == unmarked {
		return nil
	}
	identifier, _ := compact.CutField(row)
	key, err := posture.AppendKey(nil, identifier)
	if err != nil {
		return fmt.Errorf("identifier: %w", err)
	}
	if s.marks == nil {
		s.marks = map[string]error{}
	}
	s.marks[string(key)] = m.err()
	return nil
}

package file

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

const acceptedFacts = `{"device": {…}, "user": {…}}`

// checkMember checks the facts of a device in JSON: an object with the members device and user.
func (v *vocabulary) checkMember(facts jsontext.Value, identifier []byte, now time.Time) (found notes, err error) {
	if facts.Kind() != '{' {
		return 0, &refusal{`the member "facts" is not an object`, acceptedFacts}
	}
	var faults refusals
	fail := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	fail(eachMember(facts, func(about string, object jsontext.Value) error {
		switch {
		case about != "device" && about != "user":
			near := didYouMean(strings.ToLower(about), []string{"device", "user"})
			fail(&refusal{fmt.Sprintf(`unknown member %.40q in "facts"`, about) + near, acceptedFacts})
			return nil
		case object.Kind() == 'n':
			return nil
		case object.Kind() != '{':
			fail(&refusal{fmt.Sprintf(`the member %q in "facts" is not an object`, about), acceptedFacts})
			return nil
		}
		return eachMember(object, func(name string, value jsontext.Value) error {
			more, err := v.checkFact(about+"."+name, value, identifier, now)
			fail(err)
			found |= more
			return nil
		})
	}))
	return found, faults.orNil()
}

// checkFact checks one fact of a device in JSON.
func (v *vocabulary) checkFact(name string, value jsontext.Value, identifier []byte, now time.Time) (notes, error) {
	d := v.byName[name]
	if d == nil {
		return 0, v.unknown(name)
	}
	read, err := readMember(d, value)
	if err == nil {
		err = agrees(d, read, identifier)
	}
	return read.notes | odd(read, now), err
}

// agrees refuses a second identifier: a file would say of one device that it is another.
func agrees(d *posture.Definition, read reading, identifier []byte) error {
	text, isText := read.value.(string)
	if d.Name != identifierFact || !isText || posture.SameKey([]byte(strings.TrimSpace(text)), identifier) {
		return nil
	}
	return wrong(d, fmt.Sprintf("%.40q is not the device's identifier", text), fmt.Sprintf("%.40q, or nothing", identifier))
}

// odd notes a time that cannot be true.
func odd(read reading, now time.Time) notes {
	if t, isTime := read.value.(time.Time); isTime {
		if _, known := posture.Moment(t, now).Get(); !known {
			return oddTime
		}
	}
	return 0
}

// withFacts returns a device with its facts. Only a device that has them is on the heap.
func (s *store) withFacts(row []byte, d device, asked posture.FactSet, now time.Time) (posture.Device, error) {
	full := d.managed()
	if err := s.addFacts(&full, row, d, asked, now); err != nil {
		return posture.Device{}, err
	}
	return full, nil
}

// addFacts adds what a row says about its device, as far as it is asked for. The facts were checked when the file was
// loaded.
func (s *store) addFacts(to *posture.Device, row []byte, d device, asked posture.FactSet, now time.Time) error {
	asked |= s.vocabulary.always
	if s.snapshot != nil {
		// It says everything in facts. Fail closed: what it does not say is unknown, managed too.
		to.Facts.Managed = posture.Fact[bool]{}
	} else if asked.Has(s.vocabulary.attributes) && s.columns == nil {
		attributes := map[string]string{}
		if err := addAttributes(attributes, jsontext.Value(d.data)); err != nil {
			return err
		}
		to.Facts.Attributes = posture.Known(attributes)
	}
	if err := s.addCells(to, row, asked, now); err != nil {
		return err
	}
	if len(d.facts) == 0 {
		return nil
	}
	return eachMember(d.facts, func(about string, object jsontext.Value) error {
		if object.Kind() == 'n' {
			return nil
		}
		return eachMember(object, func(name string, value jsontext.Value) error {
			return s.vocabulary.addMember(to, s.vocabulary.byName[about+"."+name], value, asked, now)
		})
	})
}

// addMember adds a fact of JSON, if it is asked for.
func (v *vocabulary) addMember(to *posture.Device, definition *posture.Definition, value jsontext.Value, asked posture.FactSet, now time.Time) error {
	switch {
	case definition == nil:
		return errors.New("a fact that was not checked")
	case !asked.Has(definition.Set()):
		return nil
	case value.Kind() == 'n':
		forget(to, definition)
		return nil
	case definition.Type == posture.AttributesFact:
		attributes, known := to.Facts.Attributes.Get()
		if !known {
			attributes = map[string]string{}
			to.Facts.Attributes = posture.Known(attributes)
		}
		return addAttributes(attributes, value)
	}
	read, err := readMember(definition, value)
	if err != nil {
		return err
	}
	put(to, definition, read.value, now)
	return nil
}

// forget makes a fact unknown that is known where a file does not mention it: fail closed, because a device whose owner
// wrote null for managed must not count as managed.
func forget(to *posture.Device, d *posture.Definition) {
	switch d.Name {
	case managedFact:
		to.Facts.Managed = posture.Fact[bool]{}
	case attributesFact:
		to.Facts.Attributes = posture.Fact[map[string]string]{}
	}
}

// put makes a value known, unless it is unknown. The identifier stays as the record has it.
func put(to *posture.Device, d *posture.Definition, value any, now time.Time) {
	if t, isTime := value.(time.Time); isTime {
		moment, known := posture.Moment(t, now).Get()
		if !known {
			return
		}
		value = moment
	}
	if value != nil && d.Name != identifierFact {
		d.Put(to, value)
	}
}

// sameFacts compares the facts of two rows by value.
func (s *store) sameFacts(a, b []byte, x, y device) (bool, error) {
	// Now is the last year: otherwise two different times in the future would both be unknown, and so equal.
	const lastYear = 9999
	end := time.Date(lastYear, time.December, 31, 0, 0, 0, 0, time.UTC)
	one := device{}.managed()
	other := one
	err := errors.Join(s.addFacts(&one, a, x, posture.AllFacts(), end), s.addFacts(&other, b, y, posture.AllFacts(), end))
	return reflect.DeepEqual(one, other), err
}

// keepFacts checks the facts of an element without a fault, and appends them to its row, the last of rows. It returns
// what to note.
func (s *store) keepFacts(rows *batch, read *element, e *entry, now time.Time) notes {
	given := read.Facts.Kind() != jsontext.KindInvalid
	if s.vocabulary == nil {
		if given {
			return factsUnread
		}
		return 0
	}
	if name := read.misspelled(); name != "" {
		e.fault = &refusal{fmt.Sprintf("unknown member %.40q; did you mean facts?", name), `"facts": ` + acceptedFacts}
		return 0
	}
	if !given || read.Facts.Kind() == 'n' {
		return 0
	}
	var found notes
	if found, e.fault = s.vocabulary.checkMember(read.Facts, bytes.TrimSpace(read.text), now); e.fault != nil {
		return found
	}
	if err := read.Facts.Compact(); err != nil {
		e.fault = fmt.Errorf("facts: %w", err)
		return 0
	}
	s.hasFacts = true
	rows.text = append(append(rows.text, fieldSeparator), read.Facts...)
	return found
}

// misspelled returns a member that was probably meant to be facts. As one that is ignored, it would leave them unknown.
func (e *element) misspelled() (found string) {
	if len(e.Others) > len("{}") {
		_ = eachMember(e.Others, func(name string, _ jsontext.Value) error { // the decoder of the file has checked it
			if strings.EqualFold(name, "facts") || strings.EqualFold(name, "fact") {
				found = name
			}
			return nil
		})
	}
	return found
}

package posture

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source is an inventory of a policy, under its name there.
type Source struct {
	Name     string // empty without a policy file
	Kind     string // the name of the provider, for logs
	Provider Provider
	// Copy is the copy that is kept beside the inventory; nil where there is none.
	Copy Copy
	// DefaultType is the type of device of a query that names none; empty where the inventory does not distinguish types.
	DefaultType DeviceType
	// Facts are what the policy reads of the inventory's records.
	Facts FactSet
	// Required are what the inventory's own settings read, such as the required group. The inventory itself gives them
	// always; a copy must have been fetched with them.
	Required FactSet
	// Recorded are further facts, which are only recorded.
	Recorded FactSet
	// AllowUnmanaged makes an unmanaged record of this inventory decide.
	AllowUnmanaged bool
}

// lookup asks the inventory, or its copy. The record of the answer is into.
func (s *Source) lookup(ctx context.Context, q Query, into *Device) Answer {
	q = s.query(q)
	if q.recall && s.Copy != nil {
		if a, ok := s.recall(q, into); ok {
			return a
		}
	}
	begin := time.Now()
	var err error
	*into, err = s.Provider.Lookup(ctx, q)
	a := Answer{Inventory: s.Name, Took: time.Since(begin), Err: err, Asked: q.Facts, Type: q.Type}
	if partial, ok := s.Provider.(Partial); ok {
		a.Asked &= partial.Gives()
	}
	s.judge(&a, q, into)
	if s.Copy != nil {
		s.Copy.Observe(q, a.Record, a.Err)
	}
	return a
}

// query is q for this inventory.
func (s *Source) query(q Query) Query {
	if q.Type == "" {
		q.Type = s.DefaultType
	}
	q.Facts, q.Recorded = s.Facts|s.Recorded, s.Recorded&^s.Facts
	return q
}

// recall answers from the copy.
func (s *Source) recall(q Query, into *Device) (Answer, bool) {
	// What is only recorded is not required of a copy.
	q.Facts = q.Facts&^q.Recorded | s.Required
	recalled, ok := s.Copy.Recall(q)
	if !ok {
		return Answer{}, false
	}
	*into = recalled.Device
	a := Answer{Inventory: s.Name, Err: recalled.Err, Asked: (q.Facts | q.Recorded) & recalled.Facts, Type: q.Type, Recalled: true, Age: recalled.Age}
	s.judge(&a, q, into)
	return a, true
}

// judge makes the record that was found the answer's, if it can be believed.
func (s *Source) judge(a *Answer, q Query, into *Device) {
	switch {
	case a.Err != nil:
		return
	// Fail closed: an inventory that returns another device than the one asked for cannot be believed about anything.
	case !q.Identifier.Matches(*into):
		a.Err = errors.New("the inventory returned a record with another identifier")
		return
	// An inventory that keeps all kinds together, and knows them, is asked about one.
	case s.Name != "" && !into.Type.within(q.Type):
		a.Err = fmt.Errorf("%w: it is a %s, and a %s was asked for", ErrNotFound, into.Type, q.Type)
		return
	// Without a policy file nothing reads more of a record than was limited already.
	case s.Name != "":
		a.Err = checkSize(into)
	}
	if a.Err == nil {
		a.Record = into
	}
}

// gather is Join.Gather of this inventory alone, as most configurations have it, without a goroutine.
func (s *Source) gather(ctx context.Context, q Query, e *Evidence) error {
	if _, live := e.live(s.Name); !live {
		e.only.answers[0] = s.lookup(ctx, q, &e.only.record)
	}
	e.Answers = e.only.answers[:]
	if err := e.only.answers[0].Err; err != nil {
		return s.error(err)
	}
	e.Inventory, e.Deciding = s.Name, e.only.answers[0].Record
	return nil
}

// error names the inventory in an error about it.
func (s *Source) error(err error) error {
	if s.Name == "" {
		return err
	}
	return fmt.Errorf("inventory %s: %w", s.Name, err)
}

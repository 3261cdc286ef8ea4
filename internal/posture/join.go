package posture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/panics"
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

// Join asks several inventories about one device. The first of Inventories that knows the device decides.
type Join struct {
	Inventories []Source
	// AlsoIn must know the device too.
	AlsoIn []Source
	// Reads are the names of the inventories whose records rules or data read.
	Reads []string
	// AllowUnmanaged makes an unmanaged record decide; otherwise a managed one of a later inventory does, because MDMs
	// keep the records of devices that have left.
	AllowUnmanaged bool
}

// answered is the answer of the inventory at an index: first Inventories, then AlsoIn.
type answered struct {
	index  int
	answer Answer
	panic  *panics.Panic
}

// Gather asks the inventories, and fills in who decides and what was answered. It asks no inventory behind the one that
// decides, unless its record is read: some vendors count requests. The error wraps ErrNotFound, ErrAmbiguous or
// ErrIdentifier, which are verdicts about Inventories; any other error means that no decision can be made. e.Deciding may
// be set with such an error, so that rules can be evaluated.
func (j *Join) Gather(ctx context.Context, q Query, e *Evidence) error {
	if len(j.Inventories) == 1 && len(j.AlsoIn) == 0 {
		return j.Inventories[0].gather(ctx, q, e)
	}
	g := &gathering{Join: j, sources: slices.Concat(j.Inventories, j.AlsoIn)}
	defer func() { e.Answers = g.given() }()
	return g.askSeveral(ctx, q, e)
}

// askSeveral asks in the order of the policy. The next inventory is asked when the one before does not know the device, or
// takes longer than headStart.
func (g *gathering) askSeveral(ctx context.Context, q Query, e *Evidence) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what is not waited for any more
	g.results = make(chan answered, len(g.sources))
	g.answers, g.asked = make([]*Answer, len(g.sources)), make([]bool, len(g.sources))
	ask := func(i int) {
		if g.asked[i] {
			return
		}
		g.asked[i] = true
		if a, known := g.known(q, i, e); known {
			g.answers[i] = &a
			return
		}
		go g.ask(ctx, q, i)
	}
	ask(0)
	patience := time.NewTimer(headStart)
	defer patience.Stop()
	for {
		decides, waitsFor, err := g.decides()
		if err != nil {
			return err
		}
		if waitsFor < 0 {
			wanted := g.wanted(decides)
			for _, i := range wanted {
				ask(i)
			}
			if !slices.ContainsFunc(wanted, func(i int) bool { return g.answers[i] == nil }) {
				return g.conclude(e)
			}
		} else if !g.asked[waitsFor] {
			ask(waitsFor)
			patience.Reset(headStart)
			if g.answers[waitsFor] != nil {
				continue // from a copy
			}
		}
		select {
		case r := <-g.results:
			if r.panic != nil {
				panic(r.panic) // a fault of the connector, which must not look like one of an inventory
			}
			g.answers[r.index] = &r.answer
		case <-patience.C:
			if next := slices.Index(g.asked[:len(g.Inventories)], false); next >= 0 && waitsFor >= 0 {
				ask(next)
			}
			patience.Reset(headStart)
		case <-ctx.Done():
			g.late(e, decides, ctx.Err())
			return g.sources[g.missing(decides, waitsFor)].error(ctx.Err())
		}
	}
}

// gathering is one Gather.
type gathering struct {
	*Join

	sources []Source
	results chan answered
	answers []*Answer // nil where the inventory has not answered
	asked   []bool
}

func (g *gathering) ask(ctx context.Context, q Query, i int) {
	a := answered{index: i}
	defer func() {
		a.panic = panics.Recovered(recover())
		g.results <- a
	}()
	a.answer = g.sources[i].lookup(ctx, q, new(Device))
}

// known is the answer of an inventory that need not be waited for: that of its copy, or of the pass before.
func (g *gathering) known(q Query, i int, e *Evidence) (Answer, bool) {
	source := &g.sources[i]
	if a, live := e.live(source.Name); live {
		return a, true
	}
	if !q.recall || source.Copy == nil {
		return Answer{}, false
	}
	return source.recall(source.query(q), new(Device))
}

// given are the answers of those that have answered.
func (g *gathering) given() []Answer {
	given := make([]Answer, 0, len(g.sources))
	for _, a := range g.answers {
		if a != nil {
			given = append(given, *a)
		}
	}
	return given
}

// late notes the cause, such as the time that ran out, as the answer of each inventory that was asked and has not
// answered, and who decides, where that is known.
func (g *gathering) late(e *Evidence, decides int, cause error) {
	for i, asked := range g.asked {
		if asked && g.answers[i] == nil {
			g.answers[i] = &Answer{Inventory: g.sources[i].Name, Err: cause}
		}
	}
	if decides >= 0 {
		e.Inventory, e.Deciding = g.sources[decides].Name, g.answers[decides].Record
	}
}

// missing is the inventory that is waited for.
func (g *gathering) missing(decides, waitsFor int) int {
	if waitsFor >= 0 {
		return waitsFor
	}
	for _, i := range g.wanted(decides) {
		if g.answers[i] == nil {
			return i
		}
	}
	return decides
}

// decides returns the index of the inventory that decides, or of the one whose answer must be waited for first; the
// other one is -1.
func (g *gathering) decides() (index, waitsFor int, err error) {
	first, couldHold := -1, false
	for i, source := range g.Inventories {
		a := g.answers[i]
		switch {
		case a == nil:
			return -1, i, nil
		case a.Failed():
			return -1, -1, g.Inventories[i].error(a.Err)
		case a.Record == nil:
			couldHold = couldHold || errors.Is(a.Err, ErrNotFound)
			continue
		}
		if managed, _ := a.Record.Facts.Managed.Get(); managed || g.AllowUnmanaged || source.AllowUnmanaged {
			return i, -1, nil
		}
		if first < 0 {
			first = i
		}
	}
	if first >= 0 {
		return first, -1, nil
	}
	if len(g.Inventories) == 1 {
		return -1, -1, g.Inventories[0].error(g.answers[0].Err)
	}
	texts := make([]string, len(g.Inventories))
	for i := range g.Inventories {
		texts[i] = g.Inventories[i].error(g.answers[i].Err).Error()
	}
	verdict := ErrIdentifier
	if couldHold {
		verdict = ErrNotFound
	}
	return -1, -1, &joinedError{verdict, strings.Join(texts, "; ")}
}

// joinedError is a verdict with the texts of several inventories.
type joinedError struct {
	verdict error
	text    string
}

func (j *joinedError) Error() string { return j.text }

func (j *joinedError) Unwrap() error { return j.verdict }

// wanted are the inventories whose answers are needed besides those up to the one that decides.
func (g *gathering) wanted(decides int) (wanted []int) {
	for i, source := range g.sources {
		if i >= len(g.Inventories) || i > decides && slices.Contains(g.Reads, source.Name) {
			wanted = append(wanted, i)
		}
	}
	return wanted
}

// conclude notes who decides, when all answers that are needed have come. An inventory whose answer is needed, and which has
// failed, is an error.
func (g *gathering) conclude(e *Evidence) error {
	decides, _, err := g.decides()
	if err != nil {
		return err
	}
	e.Inventory, e.Deciding = g.sources[decides].Name, g.answers[decides].Record
	for _, i := range g.wanted(decides) {
		// Fail closed: a rule that reads the record could be met by what is unknown now. Of several records none is read,
		// and in AlsoIn they are a refusal.
		if a := g.answers[i]; a.Failed() && !errors.Is(a.Err, ErrAmbiguous) {
			return g.sources[i].error(a.Err)
		}
	}
	return nil
}

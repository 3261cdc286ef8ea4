package posture

import (
	"cmp"
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
	Name     string
	Provider Provider
	// DefaultType is the type of device of a query that names none; empty where the inventory does not distinguish types.
	DefaultType DeviceType
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
// ErrIdentifier, which are verdicts; any other error means that no decision can be made. With a verdict about AlsoIn,
// e.Deciding is set all the same, so that rules can be evaluated.
func (j *Join) Gather(ctx context.Context, q Query, e *Evidence) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what is not waited for any more
	g := &gathering{Join: j, sources: slices.Concat(j.Inventories, j.AlsoIn), results: make(chan answered, len(j.Inventories)+len(j.AlsoIn))}
	g.answers, g.asked = make([]*Answer, len(g.sources)), make([]bool, len(g.sources))
	ask := func(i int) {
		if g.asked[i] {
			return
		}
		g.asked[i] = true
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
				return g.conclude(decides, e)
			}
		} else if !g.asked[waitsFor] {
			ask(waitsFor)
			patience.Reset(headStart)
		}
		select {
		case r := <-g.results:
			if r.panic != nil {
				panic(r.panic) // a fault of the connector, which must not look like one of an inventory
			}
			g.answers[r.index] = &r.answer
		case <-patience.C:
			if next := slices.Index(g.asked[:len(j.Inventories)], false); next >= 0 && waitsFor >= 0 {
				ask(next)
			}
			patience.Reset(headStart)
		case <-ctx.Done():
			return fmt.Errorf("inventory %s: %w", g.sources[max(waitsFor, 0)].Name, ctx.Err())
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
	if q.Type == "" {
		q.Type = g.sources[i].DefaultType
	}
	record, err := g.sources[i].Provider.Lookup(ctx, q)
	switch {
	case err != nil:
		a.answer.Err = err
	// Fail closed: an inventory that returns another device than the one asked for cannot be believed about anything.
	case !q.Identifier.Matches(record):
		a.answer.Err = errors.New("the inventory returned a record with another identifier")
	default:
		a.answer.Record = &record
	}
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
			return -1, -1, fmt.Errorf("inventory %s: %w", source.Name, a.Err)
		case a.Record == nil:
			couldHold = couldHold || errors.Is(a.Err, ErrNotFound)
			continue
		}
		if managed, _ := a.Record.Facts.Managed.Get(); managed || g.AllowUnmanaged {
			return i, -1, nil
		}
		if first < 0 {
			first = i
		}
	}
	if first >= 0 {
		return first, -1, nil
	}
	texts := make([]string, len(g.Inventories))
	for i, source := range g.Inventories {
		texts[i] = "inventory " + source.Name + ": " + g.answers[i].Err.Error()
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

// conclude fills in what was answered, and returns the verdict about it.
func (g *gathering) conclude(decides int, e *Evidence) error {
	e.Inventory, e.Deciding = g.sources[decides].Name, g.answers[decides].Record
	e.Answers = make(map[string]Answer, len(g.sources))
	var fault, ambiguous, missing error
	for i, source := range g.sources {
		a := g.answers[i]
		if a == nil {
			continue
		}
		e.Answers[source.Name] = *a
		alsoIn := i >= len(g.Inventories)
		needed := alsoIn || i > decides && slices.Contains(g.Reads, source.Name)
		switch err := fmt.Errorf("inventory %s: %w", source.Name, a.Err); {
		case !needed:
		case a.Failed() && !errors.Is(a.Err, ErrAmbiguous):
			// Fail closed: a rule that reads the record could be met by what is unknown now.
			fault = cmp.Or(fault, err)
		case alsoIn && a.Failed():
			ambiguous = cmp.Or(ambiguous, err)
		case alsoIn && a.Record == nil:
			missing = cmp.Or(missing, err)
		}
	}
	return cmp.Or(fault, ambiguous, missing)
}

package posture

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/panics"
)

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

package snapshot

import (
	"context"
	"slices"
	"sync"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// modelServer is an inventory that knows its own history. Times are of the world: true time.
type modelServer struct {
	*world

	name  string
	kinds []posture.DeviceType

	mu      sync.Mutex
	account string
	records []*record
	changed map[string]time.Duration // when a device was changed last
	churn   time.Duration            // when a device was added or removed last
	down    bool
	since   time.Duration // when down has changed
	calm    time.Duration // since when nothing has happened that the bounds leave out
	fault   int
	takes   time.Duration // a fetch of a list
	fetches []*given
	seen    map[string][]seen
	// restarted is when the process was.
	restarted time.Duration
	lineage   int    // of keepers with the same state
	loaded    moment // when the lineage began
	pending   map[posture.DeviceType]waiting
}

// waiting says whether a list that has shrunk waits for another one.
type waiting int

const (
	no waiting = iota
	yes
	unknown
)

func (s *modelServer) Lists() []posture.DeviceType { return s.kinds }

func (s *modelServer) ListGives() posture.FactSet { return s.all }

const pageSize = 8

// List gives pages of identifiers that were known at the beginning, with the records of the time of the page.
func (s *modelServer) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	s.mu.Lock()
	g := &given{list: list.Type, account: s.account, begun: read(s.clock), at: s.elapsed(), lineage: s.lineage, facts: list.Facts & s.all, records: map[string][]*record{}, phantom: s.fault == listsPhantoms}
	s.fetches = append(s.fetches, g)
	fault := s.fault
	var ids []string
	for _, r := range s.records {
		if r.list == list.Type && !slices.Contains(ids, r.id) {
			ids = append(ids, r.id)
		}
	}
	s.mu.Unlock()
	err := s.give(ctx, g, ids, fault, each)
	s.mu.Lock()
	defer s.mu.Unlock()
	g.failed, g.ended = err != nil || ctx.Err() != nil, s.elapsed()
	g.phantom = g.phantom && s.fault == listsPhantoms
	g.total = 0
	for _, r := range s.records {
		if r.list == list.Type {
			g.total++
		}
	}
	switch fault {
	case hasNoTotal:
		g.total = -1
	case totalIsMore:
		g.total++
	case givesHalf, givesNothing, listsPhantoms:
		g.total = g.count // it lies
	case lacksNames:
		g.facts &^= s.names
	}
	s.expect(g)
	return posture.Listed{Facts: g.facts, Total: g.total}, err
}

// give gives the pages.
func (s *modelServer) give(ctx context.Context, g *given, ids []string, fault int, each func(posture.Listing) error) error {
	pages := len(ids)/pageSize + 1
	s.mu.Lock()
	takes := s.takes
	s.mu.Unlock()
	for page := range pages {
		if err := wait(ctx, takes/time.Duration(pages)); err != nil {
			return err
		}
		s.mu.Lock()
		var listings []posture.Listing
		failing := s.down || s.account != g.account || fault == failsAtFirst || fault == failsInTheMiddle && page >= pages/2
		for i := page * pageSize; i < min(len(ids), (page+1)*pageSize) && !failing; i++ {
			if fault == givesNothing || fault == givesHalf && 5*i >= 2*len(ids) {
				break
			}
			for _, r := range s.records {
				if r.list == g.list && r.id == ids[i] {
					g.records[r.id] = append(g.records[r.id], r)
					g.count++
					listings = append(listings, posture.Listing{Device: r.device(), Damaged: r.damaged})
				}
			}
		}
		if page == pages-1 && fault == listsPhantoms && !failing {
			r := &record{id: phantomID, list: g.list, kind: g.list, managed: true, staff: true, name: "phantom"}
			g.records[r.id] = append(g.records[r.id], r)
			g.count++
			listings = append(listings, posture.Listing{Device: r.device()})
		}
		s.mu.Unlock()
		if failing {
			return errDown
		}
		for _, l := range listings {
			if err := each(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// phantomID is the identifier of a device that lists have and no lookup finds.
const phantomID = "PHANTOM"

// settled is how long after the end of a list its check has ended.
const settled = 10 * time.Second

// expect notes whether a fetch can be adopted, from the rules about lists that fail, shrink or have devices that no lookup
// finds. It is called with the lock.
func (s *modelServer) expect(g *given) {
	if g.refused = g.failed; g.refused {
		return
	}
	var first *given // the newest one that may be the copy now
	small := false
	for _, before := range slices.Backward(s.fetches) {
		if before == g || before.list != g.list || before.account != g.account || before.refused || before.ended == 0 {
			continue
		}
		if first == nil {
			first = before
		}
		n := len(before.records)
		small = small || n >= shrinkBaseline && 2*len(g.records) < n && s.age(before) < s.settings.MaxAge
		if !before.unsure && before.lineage == s.lineage {
			break // it was adopted, and those before are gone
		}
	}
	switch {
	case small && s.pending[g.list] == no && !first.unsure && first.lineage == s.lineage:
		g.refused, s.pending[g.list] = true, yes
		return
	case small && s.pending[g.list] != yes:
		g.unsure, s.pending[g.list] = true, unknown
		return
	}
	unmarked := 0
	for _, records := range g.records {
		if len(records) == 1 && !records[0].damaged {
			unmarked++
		}
	}
	switch {
	case g.phantom && unmarked <= checkedRows:
		g.refused = true // the check looks all up
	case s.fault == listsPhantoms || g.records[phantomID] != nil:
		g.unsure, s.pending[g.list] = true, unknown
	default:
		s.pending[g.list] = no
	}
}

// shake notes that a fetch that runs, or its check, may not go on as it has begun. It is called with the lock.
func (s *modelServer) shake() {
	for _, g := range s.fetches {
		if g.ended == 0 || g.ended > s.elapsed()-settled {
			g.unsure, s.pending[g.list] = true, unknown
			g.refused = g.failed
		}
	}
}

// age is that of a copy of a fetch in the keeper that runs now: by both clocks, from before the first request. A keeper that
// was loaded from a file has whole seconds, and the boot clock since.
func (s *modelServer) age(g *given) time.Duration {
	now := read(s.clock)
	if g.lineage == s.lineage {
		return max(now.wall.Sub(g.begun.wall), now.boot-g.begun.boot)
	}
	begun := g.begun.wall.UTC().Truncate(time.Second)
	if begun.After(s.loaded.wall) {
		return never // from the future
	}
	return max(now.wall.Sub(begun), s.loaded.wall.Sub(begun)+now.boot-s.loaded.boot)
}

// never is an age at which no copy answers.
const never = document.LongestDuration

// search is what a lookup finds.
func (s *modelServer) search(id string, mode posture.DeviceType) (found *record, several, fault bool) {
	for _, r := range s.records {
		if r.id != id || r.list != "" && mode != posture.AnyDevice && mode != "" && r.list != mode {
			continue
		}
		if found != nil {
			return nil, true, false
		}
		found = r
	}
	if found != nil && found.damaged {
		return nil, false, true
	}
	return found, false, false
}

// Lookup answers at once.
func (s *modelServer) Lookup(_ context.Context, q posture.Query) (posture.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, several, fault := s.search(q.Identifier.Key(), q.Type)
	switch {
	case s.down, fault:
		return posture.Device{}, errDown
	case several:
		return posture.Device{}, posture.ErrAmbiguous
	case found == nil:
		return posture.Device{}, posture.ErrNotFound
	}
	return found.device(), nil
}

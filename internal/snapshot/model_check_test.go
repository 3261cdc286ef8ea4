package snapshot

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

// modelPolicy allows devices of the group staff. With named, not those whose name is known and begins with "bad".
type modelPolicy struct {
	inventories, alsoIn []string
	modes               []posture.DeviceType
	named               bool
}

func (w *world) read(named bool) posture.FactSet {
	if named {
		return w.all
	}
	return w.all &^ w.names
}

// said is what an inventory, or a list that it has given, says about a device.
type said struct {
	record         *record
	several, fault bool
}

// decides is the decision, from what each inventory says. It is the contract of posture.Gate in other words.
func (p *modelPolicy) decides(says func(inventory string) said) string {
	var first, deciding *record
	for _, name := range p.inventories {
		s := says(name)
		switch {
		case s.fault:
			return unavailable
		case s.several:
			return refused
		case s.record == nil:
			continue
		}
		if first == nil {
			first = s.record
		}
		if s.record.managed {
			deciding = s.record
			break
		}
	}
	if first == nil {
		return refused
	}
	decision := allowed
	for _, name := range p.alsoIn {
		s := says(name)
		if s.fault {
			return unavailable
		}
		if s.record == nil || !s.record.managed {
			decision = refused
		}
	}
	if deciding == nil || !deciding.staff || p.named && strings.HasPrefix(deciding.name, "bad") {
		return refused
	}
	return decision
}

// Evaluate implements posture.Rules: a name that is unknown is met, so that a copy without names would allow.
func (p *modelPolicy) Evaluate(e *posture.Evidence) posture.Verdict {
	if p.named {
		if name, known := e.Deciding.Facts.Name.Get(); known && strings.HasPrefix(name, "bad") {
			return posture.Verdict{Outcomes: []posture.Outcome{{Rule: "name", Applies: true, Enforced: true, Result: posture.Unmet}}, Unmet: []string{"name"}}
		}
	}
	return rules{}.Evaluate(e)
}

// Render implements posture.Rules.
func (p *modelPolicy) Render(*posture.Evidence) (json.RawMessage, []string, error) {
	return nil, nil, nil
}

// kindsOf are the lists that a question is about.
func (s *modelServer) kindsOf(mode posture.DeviceType) []posture.DeviceType {
	if s.kinds[0] != "" && slices.Contains(s.kinds, mode) {
		return []posture.DeviceType{mode}
	}
	return s.kinds
}

// basis finds fetches, one of each list that a question is about, that a copy may answer from as it did: with this age, and
// this record or none. If there are none, the copy has allowed what it must not.
func (s *modelServer) basis(id string, mode posture.DeviceType, facts posture.FactSet, a posture.Answer) (said, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var why []error
	choices := [][]*given{nil}
	for _, kind := range s.kindsOf(mode) {
		var longer [][]*given
		for _, g := range s.fetches {
			if g.list != kind || g.ended == 0 || s.age(g) > a.Age {
				continue
			}
			if err := s.answers(g, id, mode, facts); err != nil {
				why = append(why, err)
				continue
			}
			for _, c := range choices {
				longer = append(longer, append(slices.Clone(c), g))
			}
		}
		choices = longer
	}
	for _, choice := range choices {
		oldest := time.Duration(0)
		var found []*record
		for _, g := range choice {
			oldest = max(oldest, s.age(g))
			found = append(found, g.records[id]...)
		}
		switch {
		case oldest != a.Age:
		case len(found) > 1:
			if errors.Is(a.Err, posture.ErrAmbiguous) {
				return said{several: true}, nil
			}
		case len(found) == 0 || !within(found[0].kind, mode):
			if errors.Is(a.Err, posture.ErrNotFound) {
				return said{}, nil
			}
		case a.Record != nil && s.same(found[0], a.Record):
			return said{record: found[0]}, nil
		}
	}
	return said{}, errors.Join(append([]error{errors.New("no fetch has given this answer with this age")}, why...)...)
}

// same compares a record with what a copy has answered.
func (s *modelServer) same(r *record, d *posture.Device) bool {
	managed, _ := d.Facts.Managed.Get()
	groups, _ := d.Facts.Groups.Get()
	name, known := d.Facts.Name.Get()
	return r.id == d.Identifier && r.managed == managed && r.staff == (len(groups) > 0) && r.kind == d.Type && (!known || name == r.name)
}

func within(kind, mode posture.DeviceType) bool {
	return kind == "" || mode == "" || mode == posture.AnyDevice || kind == mode
}

// answers returns why a copy of a fetch must not answer about a device.
func (s *modelServer) answers(g *given, id string, _ posture.DeviceType, facts posture.FactSet) error {
	records := g.records[id]
	switch {
	case g.account != s.account:
		return errors.New("it is of another account")
	case g.refused:
		return errors.New("it must not be adopted")
	case s.age(g) >= s.settings.MaxAge || s.age(g) < 0:
		return errors.New("it is too old")
	case !g.facts.Has(facts):
		return errors.New("it has not fetched what is read")
	case len(records) > 1:
		return errors.New("it has the device twice")
	case len(records) == 0 && g.count != g.total:
		return errors.New("it may lack the device")
	case len(records) == 0:
		return nil
	case records[0].damaged:
		return errors.New("a lookup of the device fails")
	}
	for _, seen := range s.seen[id] {
		if seen.account == g.account && s.contradicts(g, records[0], seen) {
			return errors.New("a lookup has contradicted it")
		}
	}
	return nil
}

// contradicts reports whether a live answer keeps a copy of a fetch from answering about a record.
func (s *modelServer) contradicts(g *given, r *record, seen seen) bool {
	// A device that is gone while the list is fetched may have been read before. Other changes meanwhile are those of a record
	// that no copy has yet.
	gone := seen.record == nil && seen.at >= g.at
	if !gone && seen.at < g.ended+settled {
		return false
	}
	if !slices.Contains(s.kindsOf(seen.mode), g.list) || !within(r.kind, seen.mode) {
		return false
	}
	if seen.several {
		return len(s.kindsOf(seen.mode)) == 1 // otherwise each list may have it once
	}
	if seen.record == nil {
		return true
	}
	return seen.record.kind != r.kind || seen.record.managed != r.managed || seen.record.staff != r.staff ||
		g.facts.Has(seen.facts) && seen.facts.Has(s.names) && seen.record.name != r.name
}

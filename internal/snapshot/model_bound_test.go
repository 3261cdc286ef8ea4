package snapshot

import (
	"os"
	"slices"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
)

// live is what an inventory says itself; anyway also while it is down.
func (s *modelServer) live(id string, mode posture.DeviceType, anyway bool) said {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down && !anyway {
		return said{fault: true}
	}
	record, several, fault := s.search(id, mode)
	if record != nil && !within(record.kind, mode) {
		record = nil
	}
	return said{record, several, fault}
}

// fresh is max(1.1 × every, d) + d: how old what the copy says can be while all is well. d is how long it takes until all
// lists are fetched, checked and adopted.
func (s *modelServer) fresh() time.Duration {
	every := s.settings.Every
	d := time.Duration(len(s.kinds)) * (s.takes + (checkedRows+1)*min(checkPause, every/checkedEvery))
	return max(every+every/10, d) + d
}

// bound returns what must be decided about a device, where the bounds of time say so, and why. Must is empty otherwise.
func (w *world) bound(p *modelPolicy, id string, mode posture.DeviceType) (must, why string) {
	now := w.elapsed()
	why = "must be allowed"
	serves, forgets := true, true
	for _, name := range slices.Concat(p.inventories, p.alsoIn) {
		s := w.server(name)
		s.mu.Lock()
		fresh, until := s.fresh(), now
		// Where others are removed while it is checked, a fetch is repeated.
		again := time.Duration(0)
		if s.churn > s.changed[id] || s.churn > now-3*fresh {
			again = 4 * firstRetry
		}
		forgets = forgets && !s.down && s.calm <= now-3*fresh && s.changed[id] <= now-fresh-again
		if s.down {
			until = s.since
			lists := s.kindsOf(mode)
			lacks := len(lists) > 1 || !slices.ContainsFunc(s.records, func(r *record) bool { return r.id == id && r.list == lists[0] })
			// What a list does not have it may lack, where others came and went while it was fetched.
			serves = serves && (!lacks || s.churn <= until-2*fresh)
			// A list whose check may not have found a device, because that was removed meanwhile, is fetched again.
			serves = serves && !slices.ContainsFunc(s.fetches, func(g *given) bool { return g.unsure && !g.failed && g.ended > until-2*fresh && g.at < until })
			if why = "must be allowed in an outage"; s.restarted > s.since {
				why = "must be allowed after a restart"
				until -= time.Second // the file has whole seconds
			}
			serves = serves && now < until+s.settings.MaxAge-fresh
		}
		serves = serves && s.calm <= until-2*fresh && s.changed[id] <= until-2*fresh
		s.mu.Unlock()
	}
	would := p.decides(func(name string) said { return w.server(name).live(id, mode, true) })
	switch {
	case would == allowed && serves:
		return allowed, why
	case would == refused && forgets:
		return refused, "must be refused after a removal"
	}
	return "", ""
}

// restart ends the process, and begins it again.
func (w *world) restart() {
	w.endProcess()
	variant := w.dice.IntN(12)
	s := w.servers[w.dice.IntN(len(w.servers))]
	time.Sleep(1 + w.upTo(w.settings.Every/2))
	switch variant {
	case 0:
		w.clock.set(w.upTo(3*w.settings.MaxAge) - 3*w.settings.MaxAge/2)
		w.disturb()
	case 1, 2:
		w.clock = w.clock.reboot()
	case 3:
		s.lose(func(path string) error { return os.Remove(path) })
	case 4:
		s.lose(func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, w.dice.Int64N(info.Size()-1))
		})
	case 5:
		s.move()
	}
	for _, s := range w.servers {
		s.mu.Lock()
		s.restarted = w.elapsed()
		if !w.files {
			s.fetches = nil
		}
		if !s.down || !w.files {
			s.calm = w.elapsed()
		}
		// The file is written again, where devices are hidden, once a minute and not while a fetch runs.
		unwritten := w.elapsed() - w.settings.Every/2 - rewriteEvery - longestPause - s.fresh()
		for id, all := range s.seen {
			s.seen[id] = slices.DeleteFunc(all, func(seen seen) bool { return seen.at >= unwritten })
		}
		s.mu.Unlock()
	}
	w.startProcess()
}

// lose damages the file, so that it has nothing.
func (s *modelServer) lose(damage func(path string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if damage(s.path(s)) == nil {
		s.fetches = nil
	}
	s.calm = s.elapsed()
}

// move makes the inventory another account's, with other devices of the same identifiers.
func (s *modelServer) move() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calm = s.elapsed()
	s.account = map[string]string{"a": "b", "b": "a"}[s.account]
	s.fill()
}

// reload changes policies, or the secret or the account of an inventory, as a policy file does.
func (w *world) reload(s *modelServer) {
	before := w.keepers[s.name]
	w.disturb()
	switch w.dice.IntN(4) {
	case 0:
		w.choosePolicies()
		for _, s := range w.servers {
			s.mu.Lock()
			s.shake()
			for _, g := range s.fetches {
				g.unsure = true // the copy of a list that nothing reads is dropped
			}
			s.mu.Unlock()
			w.keepers[s.name].Want(w.wants())
		}
	case 1:
		end := w.ends[s.name]
		w.open(s, before)
		end()
	case 2:
		w.keepers[s.name].Fetch()
	case 3:
		w.ends[s.name]()
		s.move()
		w.open(s, nil)
	}
	synctest.Wait()
}

// prune forgets what is too old for any copy.
func (s *modelServer) prune() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.elapsed() - 12*s.settings.MaxAge
	s.fetches = slices.DeleteFunc(s.fetches, func(g *given) bool { return g.ended != 0 && g.ended < old })
	for id, all := range s.seen {
		s.seen[id] = slices.DeleteFunc(all, func(seen seen) bool { return seen.at < old })
	}
}

package snapshot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
)

// TestModel holds the bounds of copies in simulations: two inventories whose devices change, whose lists fail and lie, and
// that are down; clocks that jump, a machine that sleeps, restarts and reloads. Every decision is compared with what the
// inventories have really had and given. MODEL_HOURS are more hours than usual, and MODEL_SEED is one simulation.
func TestModel(t *testing.T) {
	hours, seed := 300, uint64(0)
	if text := os.Getenv("MODEL_HOURS"); text != "" {
		hours, _ = strconv.Atoi(text)
	}
	one := os.Getenv("MODEL_SEED")
	if one != "" {
		seed, _ = strconv.ParseUint(one, 10, 64)
	}
	decided, folder := map[string]int{}, inMemory(t)
	simulated := time.Duration(0)
	for ; simulated < time.Duration(hours)*time.Hour && !t.Failed(); seed++ {
		// Its random numbers: the pauses between fetches, and which devices are checked.
		cryptotest.SetGlobalRandom(t, seed)
		folder := filepath.Join(folder, strconv.FormatUint(seed, 10))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed, folder)
			for w.elapsed() < 40*w.settings.MaxAge && !t.Failed() {
				w.episode()
				for _, s := range w.servers {
					s.prune()
				}
			}
			w.endProcess()
			simulated += w.elapsed()
			for what, n := range w.decided {
				decided[what] += n
			}
		})
		if one != "" {
			return
		}
	}
	for _, what := range []string{allowed, refused, unavailable, "allow from a copy", "must be allowed in an outage", "must be allowed after a restart", "must be refused after a removal"} {
		if decided[what] <= hours/200 {
			t.Errorf("%d decisions are: %s", decided[what], what)
		}
	}
	t.Logf("%.0f hours: %v", simulated.Hours(), decided)
}

// inMemory is a folder that needs no disk, where the system has one: each copy is written until it is on the disk.
func inMemory(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "model") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// episode is something that happens, and goes on for some time.
func (w *world) episode() {
	s := w.servers[w.dice.IntN(len(w.servers))]
	every, maxAge := w.settings.Every, w.settings.MaxAge
	switch w.dice.IntN(16) {
	case 0, 1, 2, 3:
		w.pass(w.upTo(3 * maxAge))
	case 4, 5, 6, 7:
		w.outage(s)
	case 8, 9:
		w.badLists(s)
	case 10:
		w.clock.set(w.upTo(3*maxAge) - 3*maxAge/2)
		w.disturb()
	case 11:
		by := w.upTo(2 * maxAge)
		w.clock.sleep(by)
		w.slept += by
		w.disturb()
	case 12:
		w.restart()
	case 13:
		w.reload(s)
	case 14:
		s.mu.Lock()
		s.takes = w.upTo(every)
		if w.dice.IntN(6) == 0 {
			s.takes = w.upTo(maxAge)
		}
		s.mu.Unlock()
		s.disturb()
	case 15:
		w.massRemoval(s)
	}
	w.pass(w.upTo(every))
}

// outage is one of an inventory, sometimes of both, after some quiet time.
func (w *world) outage(s *modelServer) {
	w.pass(4*w.settings.Every + w.upTo(4*w.settings.Every))
	down := func(is bool, all ...*modelServer) {
		for _, s := range all {
			s.mu.Lock()
			s.shake()
			s.down, s.since = is, w.elapsed()
			s.mu.Unlock()
		}
	}
	affected := []*modelServer{s}
	if w.dice.IntN(3) == 0 {
		affected = w.servers
	}
	down(true, affected...)
	w.pass(w.upTo(w.settings.MaxAge / 3))
	if w.dice.IntN(2) == 0 {
		w.restart()
	}
	w.pass(w.upTo(w.settings.MaxAge))
	down(false, affected...)
	for _, s := range affected {
		s.disturb()
	}
}

// badLists makes the lists of an inventory fail or lie.
func (w *world) badLists(s *modelServer) {
	set := func(fault int) {
		s.mu.Lock()
		s.shake()
		s.fault, s.calm = fault, w.elapsed()
		s.mu.Unlock()
	}
	set(1 + w.dice.IntN(faults-1))
	w.pass(w.upTo(4 * w.settings.Every))
	set(healthy)
}

func (w *world) massRemoval(s *modelServer) {
	s.mu.Lock()
	s.calm = s.elapsed()
	for n := len(s.records) * (2 + s.dice.IntN(3)) / 5; n > 0; n-- {
		s.remove(s.dice.IntN(len(s.records)))
	}
	s.mu.Unlock()
	w.pass(w.upTo(3 * w.settings.Every))
	s.mu.Lock()
	for len(s.records) < 45 {
		s.add(s.identifier(), s.kinds[s.dice.IntN(len(s.kinds))])
	}
	s.shake()
	s.calm = s.elapsed()
	s.mu.Unlock()
}

// ask decides about a device as a webhook does, and compares the decision with the bounds.
func (w *world) ask() {
	p := w.policies[w.dice.IntN(len(w.policies))]
	id, mode := w.identifier(), p.modes[w.dice.IntN(len(p.modes))]
	gate := posture.Gate{Policy: posture.Policy{Rules: p, AlsoIn: p.alsoIn}, Mode: mode}
	for _, names := range []struct {
		from []string
		to   *[]posture.Source
	}{{p.inventories, &gate.Inventories}, {p.alsoIn, &gate.AlsoIn}} {
		for _, name := range names.from {
			s := w.server(name)
			*names.to = append(*names.to, posture.Source{Name: name, Kind: "model", Provider: s, Copy: w.keepers[name], Facts: w.read(p.named), DefaultType: posture.AnyDevice})
		}
	}
	e := posture.Evidence{Now: w.clock.Wall()}
	decision, err := gate.Decide(w.t.Context(), ask(id, ""), &e)
	got := refused
	switch {
	case err != nil:
		got = unavailable
	case decision.Allowed():
		got = allowed
	}
	w.decided[got]++
	if w.t.Failed() {
		return // one is enough
	}
	if err := w.compare(p, id, mode, &e, got); err != nil {
		w.t.Errorf("MODEL_SEED=%d, after %v, %v: %s about %s, mode %s, by %+v: %v", w.seed, w.elapsed(), w.settings, got, id, mode, *p, err)
		w.explain(id)
	}
	for _, a := range e.Answers {
		w.server(a.Inventory).saw(id, mode, w.read(p.named), a)
	}
}

func (w *world) server(name string) *modelServer {
	for _, s := range w.servers {
		if s.name == name {
			return s
		}
	}
	panic(fmt.Sprintf("no inventory %s", name))
}

// saw notes a live answer.
func (s *modelServer) saw(id string, mode posture.DeviceType, facts posture.FactSet, a posture.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Recalled || a.Err != nil && !contradicts(a.Err) {
		return
	}
	record, several, _ := s.search(id, mode)
	if record != nil && !within(record.kind, mode) {
		record = nil
	}
	s.seen[id] = append(s.seen[id], seen{mode, s.elapsed(), s.account, record, several, facts})
}

// compare returns which bound a decision breaks.
func (w *world) compare(p *modelPolicy, id string, mode posture.DeviceType, e *posture.Evidence, got string) error {
	var wrong []error
	says := func(name string) said {
		s := w.server(name)
		if a := e.Answer(name); a.Recalled {
			answer, err := s.basis(id, mode, w.read(p.named), a)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("inventory %s, from its copy, %v old: %w", name, a.Age, err))
			}
			return answer
		}
		return s.live(id, mode, false)
	}
	want := p.decides(says)
	_, recalled := e.SnapshotAge()
	switch {
	case recalled && got != allowed:
		wrong = append(wrong, errors.New("it rests on a copy"))
	case recalled:
		w.decided["allow from a copy"]++
	}
	if got != want {
		wrong = append(wrong, fmt.Errorf("want %s", want))
	}
	if must, why := w.bound(p, id, mode); must != "" {
		w.decided[why]++
		if must == allowed && got != allowed || must != allowed && got == allowed {
			wrong = append(wrong, errors.New(why))
		}
	}
	return errors.Join(wrong...)
}

// explain logs what is known of a device.
func (w *world) explain(id string) {
	for _, s := range w.servers {
		s.mu.Lock()
		w.t.Logf("inventory %s: down %v since %v, calm since %v, fault %d, a fetch takes %v, changed %v, churn %v, restarted %v", s.name, s.down, s.since, s.calm, s.fault, s.takes, s.changed[id], s.churn, s.restarted)
		for _, r := range s.records {
			if r.id == id {
				w.t.Logf("  has %+v", *r)
			}
		}
		for _, g := range s.fetches {
			if s.age(g) < s.settings.MaxAge {
				w.t.Logf("  fetch of %q from %v to %v, lineage %d of %d, age %v, facts %v, %d of %d, failed %v refused %v unsure %v", g.list, g.at, g.ended, g.lineage, s.lineage, s.age(g), g.facts.Names(), g.count, g.total, g.failed, g.refused, g.unsure)
				for _, r := range g.records[id] {
					w.t.Logf("    gave %+v", *r)
				}
			}
		}
		for _, seen := range s.seen[id] {
			w.t.Logf("  seen %+v", seen)
		}
		s.mu.Unlock()
		for _, status := range w.keepers[s.name].Status() {
			w.t.Logf("  status %+v", status)
		}
	}
}

package snapshot

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/posture"
)

// world is a simulation: two inventories with copies, a process, clocks, and policies. Its time is true: it goes on by itself,
// and while the machine sleeps.
type world struct {
	t        *testing.T
	seed     uint64
	dice     *rand.Rand
	folder   string
	settings Settings // without a path
	began    time.Time
	slept    time.Duration
	clock    *fakeClock
	servers  []*modelServer
	keepers  map[string]*Keeper
	ends     map[string]context.CancelFunc
	files    bool
	policies []*modelPolicy
	named    bool // what the policies are
	macsOnly bool
	serial   int
	all      posture.FactSet // that inventories have
	names    posture.FactSet // those of them that some policies read
	decided  map[string]int  // how often, by what; so that a test that tests nothing is noticed
}

func (w *world) elapsed() time.Duration { return time.Since(w.began) + w.slept }

func newWorld(t *testing.T, seed uint64, folder string) *world {
	t.Helper()
	w := &world{t: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 0)), folder: folder, began: time.Now(), keepers: map[string]*Keeper{}, ends: map[string]context.CancelFunc{}, decided: map[string]int{}, all: namesAndGroups(), names: posture.MustFacts("device.name")}
	w.settings.Every = []time.Duration{10 * time.Minute, 30 * time.Minute, 2 * time.Hour}[w.dice.IntN(3)]
	w.settings.MaxAge = w.settings.Every * time.Duration(4+w.dice.IntN(5))
	w.files = w.dice.IntN(3) > 0
	w.clock = &fakeClock{start: w.began, up: time.Hour}
	w.servers = []*modelServer{
		{world: w, name: "one", kinds: []posture.DeviceType{posture.Computer, posture.MobileDevice}},
		{world: w, name: "two", kinds: []posture.DeviceType{""}},
	}
	for _, s := range w.servers {
		s.changed, s.pending, s.seen = map[string]time.Duration{}, map[posture.DeviceType]waiting{}, map[string][]seen{}
		s.account, s.takes = "a", w.upTo(w.settings.Every/2)
		s.fill()
	}
	w.choosePolicies()
	w.startProcess()
	return w
}

func (w *world) upTo(most time.Duration) time.Duration {
	return time.Duration(w.dice.Int64N(int64(most))).Truncate(time.Millisecond)
}

// identifiers that requests are about; some are in no inventory.
func (w *world) identifier() string { return fmt.Sprintf("D%d", w.dice.IntN(60)) }

// fill makes the devices of an account.
func (s *modelServer) fill() {
	s.records = nil
	for i := range 60 {
		list := s.kinds[0]
		if list != "" && i%3 == 0 {
			list = s.kinds[1]
		}
		if s.dice.IntN(5) > 0 {
			s.add(fmt.Sprintf("D%d", i), list)
		}
	}
}

func (s *modelServer) add(id string, list posture.DeviceType) {
	s.serial++
	r := &record{id: id, list: list, kind: list, managed: s.dice.IntN(8) > 0, staff: s.dice.IntN(4) > 0, damaged: s.dice.IntN(30) == 0, name: fmt.Sprintf("name %d", s.serial)}
	if list == "" {
		r.kind = []posture.DeviceType{"", posture.Computer, posture.MobileDevice}[s.dice.IntN(3)]
	}
	if s.dice.IntN(6) == 0 {
		r.name = "bad " + r.name
	}
	s.records = append(s.records, r)
	s.changed[id], s.churn = s.elapsed(), s.elapsed()
}

// change changes one device of an inventory: it is added, also a second time, or removed, or gets other facts.
func (s *modelServer) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.dice.IntN(len(s.records))
	switch r := *s.records[i]; s.dice.IntN(6) {
	case 0, 1: // of the same list, or of another one
		id := r.id
		if s.dice.IntN(2) == 0 {
			id = s.identifier()
		}
		if slices.ContainsFunc(s.records, func(r *record) bool { return r.id == id }) {
			s.shake() // a lookup finds several
		}
		s.add(id, s.kinds[s.dice.IntN(len(s.kinds))])
	case 2, 3:
		s.remove(i)
	default:
		s.serial++
		r.name = fmt.Sprintf("name %d", s.serial)
		r.managed, r.staff = s.dice.IntN(8) > 0, s.dice.IntN(3) > 0
		s.records[i] = &r
		s.changed[r.id] = s.elapsed()
	}
}

func (s *modelServer) remove(i int) {
	s.changed[s.records[i].id], s.churn = s.elapsed(), s.elapsed()
	s.records = slices.Delete(s.records, i, i+1)
	s.shake()
}

// disturb says that something happened that the bounds of time leave out.
func (s *modelServer) disturb() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calm = s.elapsed()
}

func (w *world) disturb() {
	for _, s := range w.servers {
		s.disturb()
	}
}

// choosePolicies chooses what requests are decided by.
func (w *world) choosePolicies() {
	all := []posture.DeviceType{posture.AnyDevice, posture.Computer, posture.MobileDevice}
	if w.macsOnly = w.dice.IntN(4) == 0; w.macsOnly {
		all = all[1:2]
	}
	w.named = w.dice.IntN(2) == 0
	w.policies = []*modelPolicy{
		{inventories: []string{"one"}, modes: all, named: w.named},
		{inventories: []string{"two"}, modes: all},
		{inventories: []string{"one", "two"}, modes: all},
		{inventories: []string{"two", "one"}, modes: all, named: w.named},
		{inventories: []string{"two"}, alsoIn: []string{"one"}, modes: all, named: w.named},
	}
}

func (w *world) wants() Wants {
	wants := Wants{Facts: w.read(w.named)}
	if w.macsOnly {
		wants.Types = []posture.DeviceType{posture.Computer}
	}
	return wants
}

func (w *world) path(s *modelServer) string {
	if !w.files {
		return ""
	}
	return filepath.Join(w.folder, s.name+".json")
}

// open makes the keeper of an inventory. Before is the one whose copy it takes over; nil begins a lineage.
func (w *world) open(s *modelServer, before *Keeper) {
	settings := w.settings
	settings.Path = w.path(s)
	s.mu.Lock()
	s.shake()
	account := s.account
	if before == nil {
		s.lineage++
		s.loaded = read(w.clock)
		clear(s.pending)
	}
	s.mu.Unlock()
	k := New(Options{Inventory: s.name, Kind: "model", Account: account, Provider: s, Settings: settings, Clock: w.clock})
	if before != nil {
		k.Inherit(before)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	w.keepers[s.name], w.ends[s.name] = k, cancel
	k.Want(w.wants())
	go k.Run(ctx)
	synctest.Wait()
}

func (w *world) startProcess() {
	for _, s := range w.servers {
		w.open(s, nil)
	}
}

func (w *world) endProcess() {
	for _, s := range w.servers {
		w.ends[s.name]()
	}
	synctest.Wait()
	w.datedFiles()
}

// datedFiles gives new files the time of the simulation, so that one that is aged by its time seems to work.
func (w *world) datedFiles() {
	for _, s := range w.servers {
		path := w.path(s)
		if info, err := os.Stat(path); err == nil && info.ModTime().Sub(w.began) > 2*365*24*time.Hour {
			_ = os.Chtimes(path, w.clock.Wall(), w.clock.Wall())
		}
	}
}

// pause is how long until the next webhooks. Some come exactly when a copy is max_age old.
func (w *world) pause() time.Duration {
	pause := 1 + w.upTo(w.settings.Every/3)
	for _, s := range w.servers {
		s.mu.Lock()
		for _, g := range slices.Backward(s.fetches) {
			if left := s.settings.MaxAge - s.age(g); s.down && !g.failed && g.ended != 0 && left > 0 && left < s.settings.Every && w.dice.IntN(2) == 0 {
				pause = left
				break
			}
		}
		s.mu.Unlock()
	}
	return pause
}

// pass lets time pass, in which devices change and webhooks come.
func (w *world) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end) && !w.t.Failed(); {
		time.Sleep(w.pause())
		synctest.Wait()
		w.datedFiles()
		if w.dice.IntN(16) == 0 {
			w.servers[w.dice.IntN(len(w.servers))].change()
		}
		for range 3 {
			w.ask()
		}
	}
}

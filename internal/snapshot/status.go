package snapshot

import (
	"time"

	"step-posture-connector/internal/posture"
)

// Status is what one list of the copy is like at present.
type Status struct {
	// List is the kind of devices; empty where the inventory has one list.
	List posture.DeviceType
	// Devices are those of the copy; 0 without one.
	Devices int
	// Begun is when its fetch began, and Age how old it is; Until is when it is too old. Usable says that it answers.
	Begun  time.Time
	Age    time.Duration
	Until  time.Time
	Usable bool
	// Facts are those that it answers about.
	Facts posture.FactSet
	// Err is why the last fetch failed or was not adopted; nil if it was.
	Err error
}

// Status returns that of each list that is wanted.
func (k *Keeper) Status() (all []Status) {
	k.mu.Lock()
	wants := k.wants
	k.mu.Unlock()
	s := k.state.Load()
	now := read(s.clock)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, kind := range k.kinds {
		if !wants.includes(kind) {
			continue
		}
		l := s.lists[kind]
		status := Status{List: kind, Err: l.err}
		if c := l.copy; c != nil {
			status.Devices, status.Begun, status.Facts = c.table.Len(), c.begun.wall, c.facts
			status.Age = now.since(c.begun)
			// By the wall clock that is read now: where it was set, the age is that of the other clock.
			status.Until = now.wall.Add(k.Settings.MaxAge - status.Age)
			status.Usable = c.usable(now, k.Settings.MaxAge) && !l.hasOverflow
		}
		all = append(all, status)
	}
	return all
}

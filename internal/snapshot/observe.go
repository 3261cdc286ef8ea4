package snapshot

import (
	"errors"

	"step-posture-connector/internal/posture"
)

// Observe implements posture.Copy. A live answer never enters the copy: it would make a record younger than its list.
func (k *Keeper) Observe(q posture.Query, d *posture.Device, err error) {
	kinds := k.listsOf(q.Type)
	if len(kinds) == 0 || err != nil && !contradicts(err) || err == nil && d == nil {
		return // a fault says nothing about the device
	}
	s := k.state.Load()
	if k.agrees(s, kinds, q, d, err) {
		return
	}
	// The time is read with the lock: a fetch that has begun before must not look later.
	defer k.deliver()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := read(s.clock)
	key := q.Identifier.Key()
	for _, kind := range s.contradicted(k.fields, kinds, q, d, err) {
		l := s.lists[kind]
		added, full := l.hide(key, now.boot)
		if added {
			s.measures.hidden.WithLabelValues(label(kind)).Inc()
		}
		if full {
			s.measures.alarm(kind, alarmOverflow)
			k.notify(l, now, alarmOverflow, "too many devices of "+describe(kind)+" have changed since it was fetched; until the next fetch all devices are asked live")
		}
	}
	if err == nil {
		return
	}
	for _, kind := range kinds {
		if l := s.lists[kind]; l.gone != nil && len(l.gone) < maxGone {
			l.gone[goneKey{key, q.Type}] = goneAnswer{q, err, now.boot}
		}
	}
}

// agrees reports whether there is nothing to note. Most answers are so, and need no lock of their own.
func (k *Keeper) agrees(s *state, kinds []posture.DeviceType, q posture.Query, d *posture.Device, err error) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err != nil {
		for _, kind := range kinds {
			if s.lists[kind].gone != nil {
				return false
			}
		}
	}
	return len(s.contradicted(k.fields, kinds, q, d, err)) == 0
}

// contradicted returns those of the lists that were asked whose record is not what the inventory has answered.
func (s *state) contradicted(f *fields, kinds []posture.DeviceType, q posture.Query, d *posture.Device, err error) (contradicted []posture.DeviceType) {
	var have []posture.DeviceType
	for _, kind := range kinds {
		if c := s.lists[kind].copy; c != nil {
			if row, has := c.find(q.Identifier); has && f.concerns(c, row, q.Type) {
				have = append(have, kind)
			}
		}
	}
	if errors.Is(err, posture.ErrAmbiguous) && len(have) > 1 {
		return nil // each list has it once, which is what the inventory says
	}
	if err != nil {
		return have
	}
	for _, kind := range have {
		c := s.lists[kind].copy
		row, _ := c.find(q.Identifier)
		// Several lists have it, and the inventory has found it once.
		elsewhere := len(have) > 1 && kind != "" && d.Type != kind
		if elsewhere || f.differs(c, row, q, d) {
			contradicted = append(contradicted, kind)
		}
	}
	return contradicted
}

// concerns reports whether a row is about the type of device that was asked for. A list of all devices has other types too,
// about which the answer says nothing.
func (f *fields) concerns(c *copied, row []byte, asked posture.DeviceType) bool {
	if c.list != "" || asked == "" || asked == posture.AnyDevice || marksOf(row) != 0 {
		return true
	}
	var d posture.Device
	return !f.readRow(row, c.texts, f.kind, &d) || d.Type == "" || d.Type == asked
}

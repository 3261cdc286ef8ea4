package snapshot

import (
	"time"

	"step-posture-connector/internal/posture"
)

// listsOf returns the lists that a question about a type of device is about; none where the inventory has no such list.
func (k *Keeper) listsOf(asked posture.DeviceType) []posture.DeviceType {
	if len(k.kinds) == 1 && k.kinds[0] == "" || asked == "" || asked == posture.AnyDevice {
		return k.kinds
	}
	for i, kind := range k.kinds {
		if kind == asked {
			return k.kinds[i : i+1]
		}
	}
	return nil
}

// Recall implements posture.Copy. It answers only where it must not be wrong: all lists that the question is about are
// usable and have what it reads, and nothing is in doubt.
func (k *Keeper) Recall(q posture.Query) (recalled posture.Recalled, ok bool) {
	kinds := k.listsOf(q.Type)
	if len(kinds) == 0 || q.Identifier.Key() == "" {
		return recalled, false
	}
	s := k.state.Load()
	now := read(s.clock)
	required := q.Facts | k.fields.always
	s.mu.RLock()
	defer s.mu.RUnlock()
	var (
		in       *copied
		row      []byte
		oldest   time.Duration
		facts    = ^posture.FactSet(0)
		found    int
		complete = true
	)
	for _, kind := range kinds {
		l := s.lists[kind]
		c := l.copy
		if !c.usable(now, k.Settings.MaxAge) || !c.facts.Has(required) || l.doubts(q.Identifier.Key()) {
			return posture.Recalled{}, false
		}
		oldest, facts = max(oldest, now.since(c.begun)), facts&c.facts
		r, has := c.find(q.Identifier)
		switch {
		case !has:
			complete = complete && c.complete
		case marksOf(r) != 0:
			return posture.Recalled{}, false
		default:
			in, row = c, r
			found++
		}
	}
	recalled.Age, recalled.Facts = oldest, facts
	switch {
	case !complete: // a list that may lack a device says nothing about one that it does not have
		return posture.Recalled{}, false
	case found == 0:
		recalled.Err = posture.ErrNotFound
	case found > 1:
		recalled.Err = posture.ErrAmbiguous
	default:
		recalled.Facts = in.facts
		if !k.fields.readRow(row, in.texts, (required|q.Recorded)&in.facts, &recalled.Device) {
			return posture.Recalled{}, false
		}
		if t := recalled.Device.Type; t != "" && q.Type != "" && q.Type != posture.AnyDevice && t != q.Type {
			recalled.Device, recalled.Err = posture.Device{}, posture.ErrNotFound
		}
	}
	return recalled, true
}

// doubts reports whether a live answer keeps the copy from answering about a device.
func (l *list) doubts(key string) bool {
	if l.hasOverflow {
		return true
	}
	_, hidden := l.hidden[key]
	return hidden
}

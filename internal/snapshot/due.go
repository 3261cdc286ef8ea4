package snapshot

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"time"
)

// next returns the list whose fetch is due first, and how long until then, at most longestPause. It returns nil where
// nothing is wanted.
func (k *Keeper) next() (first *list, pause time.Duration) {
	k.mu.Lock()
	w, wanted := k.wants, k.wanted
	k.mu.Unlock()
	if !wanted {
		return nil, longestPause
	}
	s := k.state.Load()
	now := read(s.clock)
	s.mu.Lock()
	defer s.mu.Unlock()
	pause = math.MaxInt64
	for _, kind := range k.kinds {
		l := s.lists[kind]
		if !w.includes(kind) {
			continue
		}
		k.expire(s, l, now)
		if wait := l.wait(now, k.Settings, l.tried.Has(k.facts(w))); wait < pause {
			first, pause = l, wait
		}
	}
	return first, min(pause, longestPause)
}

// wait is how long it is until a fetch of a list is due. Covered says that the last fetch has asked for all that is wanted.
func (l *list) wait(now moment, settings Settings, covered bool) time.Duration {
	switch {
	case l.forced, !covered:
		return 0
	case l.failures > 0 || l.shrunk:
		return l.retry - now.boot
	case !l.copy.usable(now, settings.MaxAge):
		return 0
	}
	return l.due - now.boot
}

// expire drops a copy that can never answer again, so that its memory is free. An alarm is raised when it stops answering.
func (k *Keeper) expire(s *state, l *list, now moment) {
	if l.copy == nil {
		return
	}
	usable := l.copy.usable(now, k.Settings.MaxAge)
	if !usable && !l.expired {
		s.measures.alarm(l.kind, alarmExpired)
		k.notify(l, now, alarmExpired, describe(l.kind)+" is too old to answer: no fetch was adopted within max_age; all devices are asked live")
	}
	l.expired = !usable
	if l.copy.expired(now, k.Settings.MaxAge) {
		l.copy = nil
	}
}

// spread is a time that is every ± jitter.
func spread(every time.Duration) time.Duration {
	return time.Duration(float64(every) * (1 - jitter + 2*jitter*fraction()))
}

// fraction is a random number from 0 to 1.
func fraction() float64 {
	const bits = 53
	return float64(random()>>(64-bits)) / (1 << bits)
}

func random() uint64 {
	var bytes [8]byte
	_, _ = rand.Read(bytes[:]) // never fails
	return binary.LittleEndian.Uint64(bytes[:])
}

// backOff is how long after a fetch that failed the next one is due.
func backOff(failures int, every time.Duration) time.Duration {
	pause := firstRetry
	for range failures - 1 {
		if pause >= every {
			break
		}
		pause *= 2
	}
	return min(every, pause)
}

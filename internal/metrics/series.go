package metrics

import (
	"maps"
	"sync/atomic"
)

// series remembers the series that were found for keys: a search by labels takes longer than all else that counts a
// request. It is read without a lock, and copied when one is added, which is rare.
type series[K comparable, V any] struct{ all atomic.Pointer[map[K]V] }

// of returns the series of a key, which find finds at the first use.
func (s *series[K, V]) of(key K, find func(K) V) V {
	before := s.all.Load()
	if before != nil {
		if v, ok := (*before)[key]; ok {
			return v
		}
	}
	v := find(key)
	after := map[K]V{key: v}
	if before != nil {
		maps.Copy(after, *before)
	}
	s.all.CompareAndSwap(before, &after) // where another was first, the next request tries again
	return v
}

// forget drops what was found, for series that may be gone.
func (s *series[K, V]) forget() { s.all.Store(nil) }

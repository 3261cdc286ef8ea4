package console

import (
	"slices"
	"sync"
	"time"
)

// throttle bounds how often people may look devices up. Its zero value is ready. It has at most decidesAll times.
type throttle struct {
	mu     sync.Mutex
	recent []taken // by time
}

type taken struct {
	person string
	at     time.Time
}

// take takes one lookup of a person; wait is how long to wait where there is none left.
func (t *throttle) take(person string, now time.Time) (wait time.Duration, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent = slices.DeleteFunc(t.recent, func(one taken) bool { return now.Sub(one.at) >= decideEvery })
	own := 0
	for _, one := range slices.Backward(t.recent) {
		if one.person != person {
			continue
		}
		if own++; own == decidesEach {
			return decideEvery - now.Sub(one.at), false
		}
	}
	if len(t.recent) >= decidesAll {
		return decideEvery - now.Sub(t.recent[0].at), false
	}
	t.recent = append(t.recent, taken{person, now})
	return 0, true
}

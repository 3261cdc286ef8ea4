package doors_test

import (
	"net/http"
	"runtime"
	"testing"
	"time"
	"weak"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/test/testca"
)

// What the inventories said of a device is not kept with its answer: the cache has thousands of them.
func TestCacheKeepsNoEvidence(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(""))
	web, cert := l.web(t), l.devices.Device(t, testca.Good(serial))
	if got := web.show(t, cert); got.status != http.StatusOK {
		t.Fatalf("the answer is %d %s", got.status, got.body)
	}
	l.sync(t)
	evidence := l.dropEvents()
	for end := time.Now().Add(patience); evidence.Value() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the evidence of an answer is kept")
		}
		runtime.GC()
	}
	if got := web.show(t, cert); got.status != http.StatusOK {
		t.Errorf("the answer is %d %s", got.status, got.body)
	}
	s.want(t, 1, "within its time")
	l.sync(t)
	if e := l.last(t); !e.Repeats || !e.Allowed || e.Identifier != serial || e.Inventory != "service" {
		t.Errorf("the event of a remembered answer is %+v", e)
	}
}

// dropEvents forgets all events, and returns the evidence of the last one.
func (l *lab) dropEvents() weak.Pointer[posture.Evidence] {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := weak.Make(l.events[len(l.events)-1].Evidence)
	l.events, l.trail = nil, nil
	l.answered.Store(0)
	return last
}

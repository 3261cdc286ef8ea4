package doors_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// asking asks in the background.
func (a asker) asking(ctx context.Context, t *testing.T, cert *x509.Certificate) func() (response, error) {
	t.Helper()
	r := a.lab.request(t, http.MethodGet, "/door/http", nil, "X-Client-Cert: "+escaped(cert.Raw)).WithContext(ctx)
	type result struct {
		got response
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := try(a.client, r)
		done <- result{got, err}
	}()
	return func() (response, error) { r := <-done; return r.got, r.err }
}

// Equal questions at the same time are one lookup, and one line of the audit log.
func TestCoalescing(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(""))
	web, cert := l.web(t), l.devices.Device(t, testca.Good(serial))
	hold := make(chan struct{})
	s.hold.Store(&hold)
	var answers []func() (response, error)
	for range 100 {
		answers = append(answers, web.asking(t.Context(), t, cert))
	}
	l.arrived(t, 100)
	<-s.asked
	close(hold)
	for _, answer := range answers {
		if got, err := answer(); err != nil || got.status != http.StatusOK {
			t.Errorf("the answer is %d %s, %v", got.status, got.body, err)
		}
	}
	s.want(t, 1, "by 100 at the same time")
	l.waitFor(t, 100)
	if all := l.decisions(); len(all) != 1 {
		t.Errorf("the audit log has %d lines, want 1", len(all))
	}
}

// arrived waits until so many questions have arrived.
func (l *lab) arrived(t *testing.T, questions int64) {
	t.Helper()
	for end := time.Now().Add(patience); l.answered.Load() < questions; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d questions have arrived, want %d", l.answered.Load(), questions)
		}
	}
}

// wait waits until so many questions wait for answers.
func (l *lab) wait(t *testing.T, questions int) {
	t.Helper()
	for end := time.Now().Add(patience); l.handler.Waiting() != questions; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d questions wait, want %d", l.handler.Waiting(), questions)
		}
	}
}

// Where the first asker leaves, those who have joined get its decision, and the audit log has it all the same.
func TestAskerLeaves(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(""))
	web, cert := l.web(t), l.devices.Device(t, testca.Good(serial))
	hold := make(chan struct{})
	s.hold.Store(&hold)
	ctx, leave := context.WithCancel(t.Context())
	first := web.asking(ctx, t, cert)
	<-s.asked
	second := web.asking(t.Context(), t, cert)
	l.wait(t, 2)
	leave()
	if got, err := first(); !errors.Is(err, context.Canceled) {
		t.Errorf("the first got %d %s, %v", got.status, got.body, err)
	}
	l.waitFor(t, 1)
	close(hold)
	if got, err := second(); err != nil || got.status != http.StatusOK {
		t.Fatalf("the second got %d %s, %v", got.status, got.body, err)
	}
	if got := web.show(t, cert); got.status != http.StatusOK {
		t.Errorf("the third got %d %s", got.status, got.body)
	}
	s.want(t, 1, "in all")
	l.waitFor(t, 3)
	allowed := map[string]int{}
	for _, e := range l.decisions() {
		if e.Allowed {
			allowed[e.Reference]++
		}
	}
	if len(allowed) != 1 || allowed[l.last(t).Reference] != 1 {
		t.Errorf("the audit log has the allows %v, and the last answer the reference %s", allowed, l.last(t).Reference)
	}
}

// What is being decided while the cache is emptied is not remembered.
func TestForgetMeanwhile(t *testing.T) {
	t.Parallel()
	for name, reload := range map[string]func(*testing.T, *lab, *service){
		"Forget": func(_ *testing.T, l *lab, _ *service) { l.handler.Forget() },
		"Use":    func(t *testing.T, l *lab, s *service) { t.Helper(); l.use(t, s.cached("")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			l := newLab(t, s.cached(""))
			web, cert := l.web(t), l.devices.Device(t, testca.Good(serial))
			hold := make(chan struct{})
			s.hold.Store(&hold)
			answer := web.asking(t.Context(), t, cert)
			<-s.asked
			reload(t, l, s)
			s.hold.Store(nil)
			close(hold)
			if got, err := answer(); err != nil || got.status != http.StatusOK {
				t.Errorf("the answer is %d %s, %v", got.status, got.body, err)
			}
			s.managed.Store(false)
			denied(t, web.show(t, cert), http.StatusForbidden, "deviceNotManaged")
		})
	}
}

// An inventory that does not answer is a fault within the budget of the door, and not a wait.
func TestSlowInventory(t *testing.T) {
	t.Parallel()
	s := newService(t)
	l := newLab(t, s.cached(""))
	hold := make(chan struct{})
	defer close(hold)
	s.hold.Store(&hold)
	cert := l.devices.Device(t, testca.Good(serial))
	var both sync.WaitGroup
	web, ask := l.web(t), l.radius(t)
	body := string(l.devices.NewLogin(t, cert).JSON(t))
	shown, asked := l.request(t, http.MethodGet, "/door/http", nil, "X-Client-Cert: "+escaped(cert.Raw)), l.request(t, http.MethodPost, "/door/radius", io.MultiReader(strings.NewReader(body)))
	for client, r := range map[*http.Client]*http.Request{web.client: shown, ask.client: asked} {
		both.Go(func() {
			if got, err := try(client, r); err != nil || got.status != http.StatusServiceUnavailable {
				t.Errorf("%s: the answer is %d %s, %v", r.URL.Path, got.status, got.body, err)
			}
		})
	}
	both.Wait()
	l.waitFor(t, 2)
	for _, e := range l.decisions() {
		if e.Allowed || e.Code != "unavailable" || e.Status != http.StatusServiceUnavailable || e.VLAN != "" {
			t.Errorf("the event is %+v", e)
		}
	}
}

package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// place is a connection as the limiter sees it.
type place struct {
	age      time.Duration
	idle     time.Duration // since bytes arrived or a request ended
	requests int32         // in flight
	trusted  bool
}

func (p place) in(l *limiter) *connection {
	near, _ := net.Pipe()
	c := l.track(near)
	c.accepted -= int64(p.age)
	c.heard.Store(c.heard.Load() - int64(p.idle))
	c.requests.Store(p.requests)
	c.trusted.Store(p.trusted)
	return c
}

// isOpen reports whether a connection of place.in is open.
func isOpen(c *connection) bool { return c.SetDeadline(time.Time{}) == nil }

func TestVictim(t *testing.T) {
	t.Parallel()
	const (
		none = -1
		s    = time.Second
		ms   = time.Millisecond
	)
	for name, test := range map[string]struct {
		open []place
		want int // which of open is closed
	}{
		"below the limit":                          {[]place{{age: 9 * s}, {age: 8 * s}}, none},
		"the oldest unauthenticated":               {[]place{{age: 7 * s, idle: 7 * s}, {age: 9 * s}, {age: 8 * s, idle: 8 * s}}, 1},
		"unauthenticated, with requests in flight": {[]place{{age: 2 * s, idle: 2 * s}, {age: 9 * s, requests: 32}, {age: 3 * s}}, 1},
		"not one in its handshake":                 {[]place{{age: 9 * s, requests: 1}, {age: 10 * ms, idle: 10 * ms}, {age: 8 * s, requests: 1}}, 0},
		"not an authenticated one":                 {[]place{{age: 9 * s, idle: 9 * s, trusted: true}, {age: 2 * s}, {age: 9 * s, requests: 1, trusted: true}}, 1},
		"an idle one, if the others are young":     {[]place{{age: 900 * ms}, {age: 9 * s, idle: 3 * s, trusted: true}, {age: 9 * s, idle: 4 * s, trusted: true}}, 2},
		"not one that was just answered":           {[]place{{age: 9 * s, idle: 50 * ms, trusted: true}, {age: 5 * ms}, {age: 9 * ms}}, 2},
		"the oldest, if all are young":             {[]place{{age: 3 * ms}, {age: 9 * ms, requests: 1}, {age: 5 * ms}}, 1},
		"none, if all are authenticated and busy":  {[]place{{age: 9 * s, requests: 1, trusted: true}, {age: 8 * s, requests: 2, trusted: true}, {age: 9 * s, idle: 50 * ms, trusted: true}}, none},
		"never an authenticated request":           {[]place{{age: 9 * s, idle: 9 * s, requests: 1, trusted: true}, {age: 9 * ms}, {age: 5 * ms, requests: 1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit = 3
			l := newLimiter(limit)
			var open []*connection
			for _, p := range test.open {
				c := p.in(l)
				if !l.admit(c) {
					t.Fatal("a connection was refused below the limit")
				}
				open = append(open, c)
			}
			admitted := l.admit(place{}.in(l))
			if want := len(open) < limit || test.want != none; admitted != want {
				t.Errorf("the new connection was admitted: %v, want %v", admitted, want)
			}
			for i, c := range open {
				if got, want := isOpen(c), i != test.want; got != want {
					t.Errorf("connection %d is open: %v, want %v", i, got, want)
				}
			}
			if len(l.open) > limit {
				t.Errorf("%d connections are open, more than %d", len(l.open), limit)
			}
		})
	}
}

// A connection is active when bytes arrive and when a request ends: its answer is still being written.
func TestActivity(t *testing.T) {
	t.Parallel()
	l := newLimiter(1)
	near, far := net.Pipe()
	c := &connection{Conn: near, limiter: l}
	go func() { _, _ = far.Write([]byte("x")) }()
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if c.heard.Load() == 0 {
		t.Error("a byte arrived, and the connection counts as idle")
	}
	c.heard.Store(0)
	r, err := http.NewRequestWithContext(withConnection(t.Context(), c), http.MethodGet, "/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	trackRequests(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if got := c.requests.Load(); got != 1 {
			t.Errorf("%d requests in flight, want 1", got)
		}
	}), &doorman{}).ServeHTTP(nil, r)
	if got := c.requests.Load(); got != 0 {
		t.Errorf("%d requests in flight, want 0", got)
	}
	if c.heard.Load() == 0 {
		t.Error("a request has just ended, and the connection counts as idle since an earlier time")
	}
}

// Ten times as many idle clients as the limit: the number of open connections and goroutines stays limited, and every
// other client is answered. (Not parallel: it counts goroutines.)
func TestIdleConnectionsAreLimited(t *testing.T) {
	const limit, clients = 64, 640
	before := runtime.NumGoroutine()
	s := startServer(t, answering(), withLimit(limit))
	for i := range clients {
		var c net.Conn
		switch i % 8 {
		case 0: // has sent a request and is idle since
			c = s.dial(t, "http/1.1")
			send(t, c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			receive(t, c)
		case 1: // has only made a handshake
			c = s.dial(t, "h2")
		default:
			c = s.dialRaw(t)
		}
		defer c.Close()
		if i%32 == 0 {
			s.wantAnswered(t, "http/1.1")
			s.wantAnswered(t, "h2")
		}
		if got, most := runtime.NumGoroutine(), before+4*limit; got > most {
			t.Fatalf("%d goroutines after %d connections, want at most %d", got, i+1, most)
		}
	}
	// One more is open for a moment, between Accept and admit.
	if got := s.listener.most.Load(); got > limit+1 {
		t.Errorf("%d connections were open at once, want at most %d", got, limit)
	}
	if got := s.listener.open.Load(); got < limit-1 {
		t.Errorf("%d connections are open, want about %d: none is closed without need", got, limit)
	}
	s.stop(t)
	eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

// An authenticated request in flight is never cut off, however long it takes and however many connections arrive.
func TestRequestInFlightKeepsItsPlace(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			arrived, release := make(chan struct{}), make(chan struct{})
			s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					Trust(r.Context())
					close(arrived)
					<-release
				}
				_, _ = io.WriteString(w, "answer")
			}), withLimit(4))
			answered := make(chan error, 1)
			go func() { answered <- s.get(t.Context(), protocol, "/slow") }()
			wait(t, "the request arrives", arrived)
			for range 20 {
				defer s.dialRaw(t).Close()
			}
			s.wantAnswered(t, protocol)
			close(release)
			if err := wait(t, "the answer", answered); err != nil {
				t.Errorf("the request in flight was not answered: %v", err)
			}
		})
	}
}

// Unauthenticated requests that never end make room for others; those of step-ca are not cut off.
func TestUnfinishedBodiesMakeRoom(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			const limit = 4
			arrived, release := make(chan struct{}, 100), make(chan struct{})
			s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/slow":
					arrived <- struct{}{}
					_, _ = io.Copy(io.Discard, r.Body)
				case "/trusted":
					Trust(r.Context())
					arrived <- struct{}{}
					<-release
				}
				_, _ = io.WriteString(w, "answer")
			}), withLimit(limit))
			answered := make(chan error, 1)
			go func() { answered <- s.get(t.Context(), protocol, "/trusted") }()
			wait(t, "the authenticated request arrives", arrived)
			for range 3 * limit {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				body, _ := io.Pipe()
				go func() { _ = s.post(ctx, protocol, "/slow", body) }()
				wait(t, "an unauthenticated request arrives", arrived)
			}
			s.wantAnswered(t, protocol)
			close(release)
			if err := wait(t, "the answer", answered); err != nil {
				t.Errorf("the authenticated request was not answered: %v", err)
			}
		})
	}
}

// Unauthenticated clients fill the limit with bodies that never end, and more of them connect while step-ca makes its
// handshake and sends its request: step-ca's connection is not the one that makes room.
func TestSlowClientsDoNotLockOut(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			const limit = 16
			arrived := make(chan struct{}, 2*limit)
			s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					arrived <- struct{}{}
					_, _ = io.Copy(io.Discard, r.Body)
					return
				}
				Trust(r.Context())
				_, _ = io.WriteString(w, "answer")
			}), withLimit(limit))
			trickle := "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"
			call := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
			if protocol == "h2" {
				trickle = settings + frame(frameHeaders, endHeaders, 1, request("POST", "/slow"))
				call = frame(frameHeaders, endHeaders|endStream, 1, request("GET", "/"))
			}
			for range limit {
				send(t, s.dial(t, protocol), trickle)
				wait(t, "an unauthenticated request arrives", arrived)
			}
			time.Sleep(young)
			// So few that none has to be closed while it is young.
			const more = limit / 4
			for came := int32(limit); came < 2*limit-more; {
				honest := s.dial(t, protocol)
				for range more {
					s.dialRaw(t)
				}
				came += 1 + more
				eventually(t, "the new ones are accepted", func() bool { return s.listener.accepted.Load() == came })
				if protocol == "h2" {
					send(t, honest, settings)
				}
				send(t, honest, call)
				for got := ""; !strings.Contains(got, "answer"); {
					got += receive(t, honest)
				}
			}
		})
	}
}

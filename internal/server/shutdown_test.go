package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Requests that are in flight when shutdown begins are answered; new connections are not accepted, and shutdown does
// not wait for connections without a request.
func TestShutdownAnswersRequestsInFlight(t *testing.T) {
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
			}))
			idle := []net.Conn{
				plain("")(t, s), encrypted(protocol, "")(t, s),
				encrypted("http/1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n")(t, s),
				encrypted("http/1.1", "GET / HTTP/1.1\r\n")(t, s),
				encrypted("h2", settings)(t, s),
			}
			answered := make(chan error, 1)
			go func() { answered <- s.get(t.Context(), protocol, "/slow") }()
			wait(t, "the request arrives", arrived)
			s.end()
			eventually(t, "the listener is closed", func() bool {
				c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.address)
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			deadline := time.Now().Add(patience)
			for _, c := range idle {
				wantClosed(t, c, deadline)
			}
			select {
			case err := <-s.ended:
				t.Fatalf("Serve() = %v while a request is in flight", err)
			default:
			}
			close(release)
			if err := wait(t, "the answer", answered); err != nil {
				t.Errorf("the request in flight was not answered: %v", err)
			}
			if err := wait(t, "shutdown", s.ended); err != nil {
				t.Errorf("Serve() = %v, want nil", err)
			}
		})
	}
}

// No authenticated request is in flight: shutdown is quick, also with unfinished requests of others.
func TestShutdownDoesNotWaitForUnauthenticatedClients(t *testing.T) {
	t.Parallel()
	s := startServer(t, reading())
	for _, begin := range unfinished() {
		begin(t, s)
	}
	began := time.Now()
	s.stop(t)
	if took := time.Since(began); took > readTimeout/2 {
		t.Errorf("shutdown took %s, as long as unauthenticated clients want", took)
	}
}

// Requests that do not end are cut off, and Serve reports it.
func TestShutdownCutsOff(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	s := startServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		Trust(r.Context())
		close(arrived)
		<-release
	}))
	defer close(release)
	answered := make(chan error, 1)
	go func() { answered <- s.get(t.Context(), "http/1.1", "/") }()
	wait(t, "the request arrives", arrived)
	s.end()
	if err := wait(t, "shutdown", s.ended); !errors.Is(err, ErrUnfinished) {
		t.Errorf("Serve() = %v, want ErrUnfinished", err)
	}
	if err := wait(t, "the connection is closed", answered); err == nil {
		t.Error("the request was answered, want it cut off")
	}
}

// step-ca keeps its connection, and repeats a failed request after one second: the next daemon must have started by
// then.
func TestShutdownIsQuick(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			const tries, want = 5, 700 * time.Millisecond
			best := time.Hour
			for range tries {
				s := startServer(t, answering())
				client, done := s.keepAlive(protocol)
				defer done()
				s.wantAnswer(t, client)
				began := time.Now()
				s.stop(t)
				best = min(best, time.Since(began))
			}
			if best > want {
				t.Errorf("shutdown took %s at best with an idle connection, want less than %s", best, want)
			}
		})
	}
}

// A connection is not closed before GOAWAY was sent, however long it was idle: the client must send its next request
// elsewhere.
func TestShutdownSendsGoAway(t *testing.T) {
	t.Parallel()
	s := startServer(t, answering())
	c := encrypted("h2", settings+frame(frameHeaders, endHeaders|endStream, 1, request("GET", "/")))(t, s)
	for got := ""; !strings.Contains(got, "answer"); {
		got += receive(t, c)
	}
	time.Sleep(1100 * time.Millisecond) // idle for longer than the grace
	s.end()
	rest, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	goAway := string([]byte{0, 0, 8, frameGoAway, 0, 0, 0, 0, 0})
	if !strings.Contains(string(rest), goAway) {
		t.Errorf("the connection ends with %q, want GOAWAY", rest)
	}
}

// An authenticated request whose body is incomplete is not cut off because nothing arrives.
func TestShutdownWaitsForBodies(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			Trust(r.Context())
			close(arrived)
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_, _ = io.WriteString(w, "answer")
	}))
	body, feed := io.Pipe()
	answered := make(chan error, 1)
	go func() { answered <- s.post(t.Context(), "h2", "/body", body) }()
	wait(t, "the request arrives", arrived)
	s.end()
	time.Sleep(2 * grace)
	if _, err := feed.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	if err := wait(t, "the answer", answered); err != nil {
		t.Errorf("the request was not answered: %v", err)
	}
	if err := wait(t, "shutdown", s.ended); err != nil {
		t.Errorf("Serve() = %v, want nil", err)
	}
}

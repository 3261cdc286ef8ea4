package tokenapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"step-posture-connector/internal/tokenapi"
)

// A body that never ends is given up when the time of the request is over.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		events := make(chan *tokenapi.Event, 1)
		handler := &tokenapi.Handler{Now: time.Now, Record: func(e *tokenapi.Event) { events <- e }}
		handler.Use(tokenapi.NewAccess(clients(), rules()))
		near, far := net.Pipe()
		listener := &oneConnection{connection: far, closed: make(chan struct{})}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		var sender sync.WaitGroup
		sender.Go(func() {
			_, _ = fmt.Fprintf(near, "POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nAuthorization: Bearer %s\r\n\r\n{", enrolBearer)
			for range 99 { // each byte in time, all of them not
				time.Sleep(time.Second)
				if _, err := near.Write([]byte(" ")); err != nil {
					return
				}
			}
		})
		began := time.Now()
		response, err := http.ReadResponse(bufio.NewReader(near), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if took := time.Since(began); took != 9*time.Second || response.StatusCode != http.StatusBadRequest {
			t.Errorf("got status %d after %s, want 400 after 9s: %s", response.StatusCode, took, text)
		}
		if e := <-events; e.Code != "malformed" || !strings.Contains(e.Reason, "read body") {
			t.Errorf("got event %+v", e)
		}
		_ = near.Close()
		_ = server.Close()
		if err = <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended with %v", err)
		}
		sender.Wait()
	})
}

// oneConnection is a listener with one connection.
type oneConnection struct {
	once       sync.Once
	connection net.Conn
	closed     chan struct{}
	shut       sync.Once
}

func (l *oneConnection) Accept() (c net.Conn, err error) {
	l.once.Do(func() { c = l.connection })
	if c != nil {
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConnection) Close() error {
	l.shut.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConnection) Addr() net.Addr { return l.connection.LocalAddr() }

func TestHTTP2(t *testing.T) {
	t.Parallel()
	a := start(t)
	a.Server = httptest.NewUnstartedServer(a.handler)
	a.EnableHTTP2 = true
	a.StartTLS()
	t.Cleanup(a.Server.Close)
	body := func(size int) io.Reader { // without its length
		const text = `{"policy":"enrolment","identifier":"C02"}`
		return unsized{strings.NewReader(text + strings.Repeat(" ", size-len(text)))}
	}
	r := a.do(t, http.MethodPost, "/v1/tokens", bearer(enrolBearer), body(4096))
	if r.status != http.StatusCreated {
		t.Errorf("got status %d, want 201: %s", r.status, r.text)
	}
	wantError(t, a.do(t, http.MethodPost, "/v1/tokens", bearer(enrolBearer), body(4097)), http.StatusRequestEntityTooLarge, "tooLarge")
	wantError(t, a.do(t, http.MethodPost, "/v1/tokens", nil, body(4096)), http.StatusUnauthorized, "unauthenticated")
	if got := a.revoke(t, enrolBearer, r.body.ID); got.status != http.StatusNoContent {
		t.Errorf("got status %d, want 204: %s", got.status, got.text)
	}
}

// Of many requests at once, as many pass as the rate limit lets, also while the policy file is reloaded.
func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	a := start(t)
	var all sync.WaitGroup
	var passed, refused atomic.Int64
	for range 4 {
		all.Go(func() {
			for range 10 {
				a.handler.Use(tokenapi.NewAccess(clients(), rules()))
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+"/v1/tokens", http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				request.Header = bearer(enrolBearer)
				response, err := a.Client().Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close()
				switch response.StatusCode {
				case http.StatusOK:
					passed.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != 10 || refused.Load() != 30 {
		t.Errorf("%d requests passed and %d were refused, want 10 and 30", passed.Load(), refused.Load())
	}
}

package vendortest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxRequest = 1 << 20 // bytes of a request's body that are read
	// maxEndless is how much of an endless body a careful client may take, what the buffers of the
	// connection hold included.
	maxEndless = 64 << 20
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := s.api.Endpoint(r)
	fault, spoiled, gone := s.arrive(r, endpoint)
	defer gone()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return // the client is gone
	}
	// After the body: with HTTP/1.1 it is not noticed before that a client leaves.
	s.settle(r.Context(), endpoint)
	// A request is in flight until its answer begins: the client may have read an answer, and begun
	// the next request, before this function returns.
	leave := s.leave(r.Context(), gone)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.inspect(r, endpoint, len(body))
	// A client that keeps cookies sends it back, which is a violation.
	w.Header().Set("Set-Cookie", "BALANCE=node1; Path=/; Secure; HttpOnly")
	if !isEscaped(r.RequestURI) {
		s.Violate("%s: the request target is not escaped", endpoint)
		leave()
		http.Error(w, "invalid character in the request target "+Marker, http.StatusBadRequest)
		return
	}
	if !spoiled {
		fault.Kind = ""
	}
	s.answer(w, r, fault, leave)
}

// answer answers, spoiled or not. It calls leave when the answer begins.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, fault Fault, leave func()) {
	switch fault.Kind {
	case Slow, Hold:
		if s.wait(r.Context(), fault) != nil {
			s.abandon()
			return
		}
		s.healthy(r).send(w, leave)
	case Hang:
		leave() // the next request may come before it is seen that this one's client has left
		s.hang(r.Context())
		panic(http.ErrAbortHandler)
	case Reset:
		leave()
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			reset(conn)
		}
		panic(http.ErrAbortHandler)
	case Answer:
		spoil(fault).send(w, leave)
	case Redirect:
		fault.Headers = maps.Clone(fault.Headers)
		if fault.Headers == nil {
			fault.Headers = map[string]string{}
		}
		fault.Headers["Location"] = s.trapURL + r.RequestURI
		if fault.Status == 0 {
			fault.Status = http.StatusFound
		}
		spoil(fault).send(w, leave)
	case Edit:
		a := s.healthy(r)
		if a.status == http.StatusOK {
			a.body = *bytes.NewBuffer(fault.Change(a.body.Bytes()))
		}
		a.send(w, leave)
	case Truncate:
		a := s.healthy(r)
		w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()+1))
		a.body.Truncate(a.body.Len() / 2)
		a.send(w, leave)
		panic(http.ErrAbortHandler)
	case Endless:
		s.endless(w, leave)
	default:
		s.healthy(r).send(w, leave)
	}
}

// hang waits until the client leaves.
func (s *Server) hang(ctx context.Context) {
	s.changeHanging(1)
	defer s.changeHanging(-1)
	select {
	case <-ctx.Done():
		s.abandon()
	case <-s.closing:
	}
}

// wait waits as long as a Slow or Hold fault wants. Its error says that the client has left.
func (s *Server) wait(ctx context.Context, fault Fault) error {
	var delay <-chan time.Time
	if fault.Kind == Slow {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		delay = timer.C
	}
	select {
	case <-delay:
	case <-fault.Until:
	case <-s.closing:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// endless writes JSON that goes on and on.
func (s *Server) endless(w http.ResponseWriter, leave func()) {
	leave()
	s.changeHanging(1)
	defer s.changeHanging(-1)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"totalCount":1,"results":[{"id":"`)
	chunk := []byte(strings.Repeat(Marker+" ", 4096))
	for written := 0; written < maxEndless; written += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	s.Violate("%d MiB of an endless answer were read", maxEndless>>20)
	panic(http.ErrAbortHandler)
}

// serveTrap is the host that redirects lead to. It answers as the vendor does, so that a client that
// follows notices nothing, and records a violation.
func (s *Server) serveTrap(w http.ResponseWriter, r *http.Request) {
	with := "without a bearer token"
	if r.Header.Get("Authorization") != "" {
		with = "with its bearer token"
	}
	s.Violate("a redirect to another host was followed, %s", with)
	s.api.Handler.ServeHTTP(w, r)
}

// recorded is an answer before it is sent. It implements http.ResponseWriter.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (s *Server) healthy(r *http.Request) *recorded {
	a := &recorded{header: http.Header{}, status: http.StatusOK}
	s.api.Handler.ServeHTTP(a, r)
	return a
}

func spoil(fault Fault) *recorded {
	a := &recorded{header: http.Header{}, status: fault.Status}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.header.Set("Content-Type", "application/json")
	for name, value := range fault.Headers {
		a.header.Set(name, value)
	}
	a.body.WriteString(fault.Body)
	return a
}

// Header implements http.ResponseWriter.
func (a *recorded) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *recorded) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *recorded) Write(p []byte) (int, error) {
	a.body.Write(p) // never fails
	return len(p), nil
}

func (a *recorded) send(w http.ResponseWriter, leave func()) {
	maps.Copy(w.Header(), a.header)
	leave()
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// The times a client is given. step-ca's own idle time is 90 s.
const (
	headerTimeout = 10 * time.Second // TLS handshake, and header of a request
	readTimeout   = 10 * time.Second // body, on HTTP/1.1 with its header; on HTTP/2 the webhook relies on it
	writeTimeout  = 40 * time.Second // whole request: body 10 s, decision 9 s, the rest for writing
	stallTimeout  = 10 * time.Second // an HTTP/2 client that takes nothing of what is written
	idleTimeout   = 120 * time.Second
	drainTimeout  = 15 * time.Second
)

// The sizes a client is given, in bytes.
const (
	maxHeader = 64 << 10  // what is read at all; the handler refuses more than 16 KiB, with an answer and an event
	maxStream = 64 << 10  // of one HTTP/2 request that was not read yet
	maxUnread = 256 << 10 // of one HTTP/2 connection
	maxFrame  = 16 << 10  // of one HTTP/2 frame, allocated before it comes; the least that HTTP/2 allows
)

// maxStreams is how many requests there are at once on one HTTP/2 connection. For each one more, Go's client
// opens another connection, with a handshake. What they hold over all connections is bounded by maxUnfinished.
const maxStreams = 32

// ErrUnfinished says that requests were still under way when the time to end was over.
var ErrUnfinished = errors.New("requests were still under way after " + drainTimeout.String() + " and were cut off")

// Server is a server for HTTPS, or for plain HTTP.
type Server struct {
	http       *http.Server
	limiter    *limiter
	handshakes *handshakes // nil for plain HTTP
	notices    *notices
}

// New makes a Server that holds at most limit connections; without an identity it speaks plain HTTP.
// What net/http has to say, such as why a handshake failed, goes to complaints, a line at a time.
func New(handler http.Handler, identity *TLS, limit int, complaints io.Writer) *Server {
	errorLog := log.New(complaints, "", 0)
	s := &Server{
		limiter: newLimiter(limit),
		notices: &notices{},
		http: &http.Server{
			Handler:           trackRequests(handler, identity, errorLog),
			ConnContext:       withConnection,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       -1, // the limiter has it: Go keeps an HTTP/2 connection in memory for that long after it was closed
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          errorLog,
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          maxStreams,
				MaxReceiveBufferPerConnection: maxUnread,
				MaxReceiveBufferPerStream:     maxStream,
				MaxReadFrameSize:              maxFrame,
				WriteByteTimeout:              stallTimeout,
			},
			// Else "OPTIONS *" is answered without the handler.
			DisableGeneralOptionsHandler: true,
		},
	}
	s.limiter.notices = s.notices
	if identity != nil {
		s.handshakes = newHandshakes(identity, s.notices)
		s.http.TLSConfig, s.http.ConnState = identity.Config(), s.handshakes.connState
	}
	return s
}

// Notify sets what logs the lines that an administrator should see at every level, such as one about a client
// certificate that was refused. Unauthenticated clients can cause them, so each kind comes once a minute at most.
func (s *Server) Notify(notify func(line string)) {
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	s.notices.notify = notify
}

// FailedHandshakes returns how many TLS handshakes failed for one of HandshakeCauses.
func (s *Server) FailedHandshakes(cause string) uint64 { return s.handshakes.failed[cause].Load() }

// Connections returns how many connections are open.
func (s *Server) Connections() int { return s.limiter.count() }

// Evicted returns how many connections were closed to make room for others.
func (s *Server) Evicted() uint64 { return s.limiter.evicted.Load() }

// Refused returns how many connections were refused because no other could make room.
func (s *Server) Refused() uint64 { return s.limiter.refused.Load() }

// Serve answers on listener until ctx is done, then lets the requests under way finish. It returns
// nil when all of them were answered, and ErrUnfinished when the time for that ran out.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.limiter.Listener = listener
	ended := make(chan error, 1)
	go func() {
		if s.http.TLSConfig == nil {
			ended <- s.http.Serve(s.limiter)
			return
		}
		ended <- s.http.ServeTLS(s.limiter, "", "")
	}()
	go s.limiter.expire(ctx)
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	// A fresh context: the old one is done, and would end the requests with it.
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	go func() { _ = s.http.Shutdown(drain) }() // closes the listener, and says GOAWAY
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	if err := s.limiter.drain(drain); err != nil {
		_ = s.http.Close()
		return ErrUnfinished
	}
	return nil
}

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

// ErrUnfinished means that requests were still in flight at the end of drainTimeout.
var ErrUnfinished = errors.New("requests were still under way after " + drainTimeout.String() + " and were cut off")

// Server is a server for HTTPS, or for plain HTTP.
type Server struct {
	http       *http.Server
	limiter    *limiter
	handshakes *handshakes // nil for plain HTTP
	doorman    *doorman
	notices    *notices
}

// New makes a Server that holds at most limit connections; without an identity it speaks plain HTTP.
// net/http's own messages, such as why a handshake failed, go to errorLog, a line at a time.
func New(handler http.Handler, identity *TLS, limit int, errorLog io.Writer) *Server {
	logger := log.New(errorLog, "", 0)
	n := &notices{wording: webhookWording()}
	if identity != nil {
		n.wording = identity.wording()
	}
	d := &doorman{identity: identity, errorLog: logger, notices: n}
	s := &Server{
		limiter: newLimiter(limit),
		notices: n,
		doorman: d,
		http: &http.Server{
			Handler:           trackRequests(handler, d),
			ConnContext:       withConnection,
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       -1, // the limiter closes idle ones: net/http would keep an HTTP/2 connection in memory for that time after it was closed
			MaxHeaderBytes:    maxHeader,
			ErrorLog:          logger,
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          maxStreams,
				MaxReceiveBufferPerConnection: maxUnread,
				MaxReceiveBufferPerStream:     maxStream,
				MaxReadFrameSize:              maxFrame,
				WriteByteTimeout:              stallTimeout,
			},
			// Otherwise net/http answers "OPTIONS *" without the handler.
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

// Notify sets the function that logs what an administrator should see at every level, such as a refused client
// certificate. Unauthenticated clients can cause these lines, so each kind comes once a minute at most.
func (s *Server) Notify(notify func(line string)) {
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	s.notices.notify = notify
}

// FailedHandshakes returns how many TLS handshakes failed for one of HandshakeCauses.
func (s *Server) FailedHandshakes(cause string) uint64 { return s.handshakes.failed[cause].Load() }

// RevokedRequests returns how many requests were refused on open connections because the client had been revoked since.
func (s *Server) RevokedRequests() uint64 { return s.doorman.revoked.Load() }

// Connections returns how many connections are open.
func (s *Server) Connections() int { return s.limiter.count() }

// Evicted returns how many connections were closed to make room for others.
func (s *Server) Evicted() uint64 { return s.limiter.evicted.Load() }

// Refused returns how many connections were refused because no other could make room.
func (s *Server) Refused() uint64 { return s.limiter.refused.Load() }

// Serve answers on listener until ctx is done, then lets the requests in flight finish. It returns
// nil when all of them were answered, and ErrUnfinished at the end of drainTimeout.
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
	// A new context: the old one is done, and would cancel the requests.
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	go func() { _ = s.http.Shutdown(drain) }() // closes the listener, and sends GOAWAY
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	if err := s.limiter.drain(drain); err != nil {
		_ = s.http.Close()
		return ErrUnfinished
	}
	return nil
}

// Package vendortest simulates a vendor's HTTPS API on the loopback, for tests and demonstrations. A http.Handler
// is the vendor without faults; this package puts it behind TLS with a CA of its own, spoils its answers on demand,
// counts, and records what a client must not do.
package vendortest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Marker is part of every error text of a simulated vendor. A provider must never repeat it.
const Marker = "vendor-words-7d1f0c"

// headerTimeout bounds how long a client may take over its headers.
const headerTimeout = 30 * time.Second

// API is what a particular vendor adds.
type API struct {
	// Handler is the vendor without faults.
	Handler http.Handler
	// Endpoint names the endpoint that a request is for; faults and counts go by that name.
	Endpoint func(*http.Request) string
	// AtOnce is how many requests the vendor allows at once; more are a violation. 0: any number.
	AtOnce int
	// Settle is how long more requests than AtOnce may be in flight because the server has not yet noticed which clients have
	// left; 0 is settleTime.
	Settle time.Duration
	// Address is where to listen; empty is a free port of 127.0.0.1.
	Address string
	// Names are the host names in the certificate; none are those of the loopback.
	Names []string
}

// Server is a simulated vendor. Its methods may be called at any time, from any goroutine.
type Server struct {
	api       API
	authority authority
	http      *http.Server
	trap      *http.Server // where redirects lead
	url       string
	trapURL   string
	closing   chan struct{}
	closeOnce sync.Once

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced whenever something below changes
	down       bool
	hangs      bool // see Stall
	onlyHTTP1  bool
	conns      map[net.Conn]*trackedConn // nil for one that is not served
	faults     []*active
	counts     map[string]int
	arrivals   []arrival
	requestIDs []string
	inFlight   map[string]int
	now, most  int  // requests in flight
	proven     bool // more requests are in flight than are allowed, and their clients wait
	hanging    int  // see Hanging; these are not in flight any more
	violations []string
	accepted   int // connections
	abandoned  int // see Abandoned
}

// New prepares a Server; Start starts it.
func New(api API) (*Server, error) {
	authority, err := newAuthority(api.Names)
	if err != nil {
		return nil, err
	}
	if api.Address == "" {
		api.Address = "127.0.0.1:0"
	}
	if api.Settle == 0 {
		api.Settle = settleTime
	}
	return &Server{
		api:       api,
		authority: authority,
		closing:   make(chan struct{}),
		changed:   make(chan struct{}),
		conns:     map[net.Conn]*trackedConn{},
		counts:    map[string]int{},
		inFlight:  map[string]int{},
	}, nil
}

// Start listens and answers until Close.
func (s *Server) Start() error {
	var err error
	if s.http, s.url, err = s.serve(s.api.Address, s); err != nil {
		return err
	}
	s.trap, s.trapURL, err = s.serve("127.0.0.1:0", http.HandlerFunc(s.serveTrap))
	return err
}

func (s *Server) serve(address string, handler http.Handler) (*http.Server, string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		// A client that does not trust the CA is not worth a line.
		ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{s.authority.leaf}, GetConfigForClient: s.protocols,
		},
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
	go func() { _ = server.ServeTLS(tracked{listener, s}, "", "") }() // its error is that it was closed
	return server, "https://" + listener.Addr().String(), nil
}

// Close stops answering and closes every connection.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		close(s.closing)
		for _, server := range []*http.Server{s.http, s.trap} {
			if server != nil {
				_ = server.Close()
			}
		}
		s.closeConnections()
	})
}

// URL is where the vendor answers, without a slash at its end.
func (s *Server) URL() string { return s.url }

// CACertPEM is the CA that a client has to trust.
func (s *Server) CACertPEM() []byte { return s.authority.pem }

// CertPool holds the CA that a client has to trust.
func (s *Server) CertPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.authority.pem)
	return pool
}

// Down makes the vendor unreachable: every connection, new or open, is reset.
func (s *Server) Down() {
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
	s.closeConnections()
}

// Up ends Down.
func (s *Server) Up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = false
}

// connKey is where a request's context has its connection.
type connKey struct{}

// reset closes a connection with a TCP reset.
func reset(conn net.Conn) {
	if wrapped, ok := conn.(*tls.Conn); ok {
		conn = wrapped.NetConn()
	}
	if wrapped, ok := conn.(*trackedConn); ok {
		conn = wrapped.Conn
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

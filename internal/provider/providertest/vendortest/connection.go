package vendortest

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// Stall makes new connections hang: they are accepted, and nothing more. Those that are open go on.
func (s *Server) Stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = true
}

// Resume ends Stall for new connections. Those that hang go on hanging, as behind a load balancer that
// has forgotten them.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = false
}

// Freeze makes every open connection dead: what arrives is accepted and lost, nothing goes out, and it is not
// closed either, as behind a firewall that has forgotten it. New connections work.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		if conn != nil {
			conn.freeze()
		}
	}
}

// OnlyHTTP1 makes the server speak HTTP/1.1 only on new connections.
func (s *Server) OnlyHTTP1() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onlyHTTP1 = true
}

// protocols is tls.Config.GetConfigForClient.
func (s *Server) protocols(*tls.ClientHelloInfo) (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.onlyHTTP1 {
		return nil, nil // the listener's configuration is used
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{s.authority.leaf}, NextProtos: []string{"http/1.1"}}, nil
}

func (s *Server) closeConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, served := range s.conns {
		if served != nil {
			served.end()
		}
		reset(conn)
	}
	clear(s.conns)
}

// tracked is a listener that knows its connections.
type tracked struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener.
func (l tracked) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, errors.Join(net.ErrClosed, err)
		}
		if served := l.server.accept(conn); served != nil {
			return served, nil
		}
	}
}

// accept returns the connection if it is to be served.
func (s *Server) accept(conn net.Conn) *trackedConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		reset(conn)
		return nil
	}
	s.accepted++
	s.announce()
	if s.hangs {
		s.conns[conn] = nil
		return nil
	}
	served := &trackedConn{Conn: conn, server: s, frozen: make(chan struct{}), closed: make(chan struct{})}
	s.conns[conn] = served
	return served
}

type trackedConn struct {
	net.Conn
	server         *Server
	frozen, closed chan struct{}
	freezing       sync.Once
	ending         sync.Once
}

func (c *trackedConn) freeze() { c.freezing.Do(func() { close(c.frozen) }) }

func (c *trackedConn) end() { c.ending.Do(func() { close(c.closed) }) }

// Read implements net.Conn. What comes to a frozen connection is read, so that the client notices nothing,
// and thrown away.
func (c *trackedConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		select {
		case <-c.frozen:
			if err == nil {
				continue
			}
			<-c.closed // that the client has closed it is not noticed either
		default:
		}
		return n, err
	}
}

// Write implements net.Conn.
func (c *trackedConn) Write(p []byte) (int, error) {
	select {
	case <-c.frozen:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	select {
	case <-c.frozen: // the client must not notice
		c.end()
		return nil
	default:
	}
	c.server.mu.Lock()
	delete(c.server.conns, c.Conn)
	c.server.announce()
	c.server.mu.Unlock()
	c.end()
	return c.Conn.Close()
}

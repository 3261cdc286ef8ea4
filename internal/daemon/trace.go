package daemon

import (
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/posture"
)

// traceProvider makes the provider of an inventory log its requests, at LOGGING_LEVEL=2.
func (s *service) traceProvider(i *inventory) {
	tracer, can := i.Provider.(posture.Tracer)
	if !can || !s.log.IsLevelEnabled(logrus.TraceLevel) {
		return
	}
	if i.section == nil {
		tracer.Trace(s.log.Tracef)
		return
	}
	tracer.Trace(func(format string, arguments ...any) { s.log.Tracef("inventory "+i.Name+": "+format, arguments...) })
}

// traceConnections logs each connection when it is opened and closed, at LOGGING_LEVEL=2.
func (s *service) traceConnections(listener net.Listener) net.Listener {
	if !s.log.IsLevelEnabled(logrus.TraceLevel) {
		return listener
	}
	return tracedListener{listener, s.log}
}

type tracedListener struct {
	net.Listener
	log *logrus.Logger
}

// Accept implements net.Listener.
func (l tracedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.log.Tracef("connection from %s: opened", c.RemoteAddr())
	opened := time.Now()
	return &tracedConnection{Conn: c, closed: sync.OnceFunc(func() {
		l.log.Tracef("connection from %s: closed after %s", c.RemoteAddr(), time.Since(opened).Round(time.Millisecond))
	})}, nil
}

type tracedConnection struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *tracedConnection) Close() error {
	c.closed()
	return c.Conn.Close()
}

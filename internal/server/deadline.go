package server

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadline is a time limit of a connection, for reading or for writing. net/http sets half a dozen for each
// request, nearly none of them passes, and each is a change of a timer. So a limit that is later than the one
// that the socket has is only noted. When the socket's has passed, it gets the one that is wanted by then, and
// the operation that timed out is tried again.
type deadline struct {
	set func(time.Time) error // sets the socket's

	mu     sync.Mutex
	wanted time.Time // zero: none
	socket time.Time // the socket's; zero where it has none
}

// longAgo is before every deadline that may still pass, in seconds since 1970. net/http ends a read by setting
// one that passed in that year.
const longAgo = 1 << 30

// want has operations time out at a time; the zero time is never.
func (d *deadline) want(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = at
	switch {
	case d.socket.IsZero() && at.IsZero():
		return nil
	case d.socket.Unix() > longAgo && (at.IsZero() || !at.Before(d.socket)):
		return nil
	}
	return d.apply()
}

// must is want for a limit that the socket gets in any case.
func (d *deadline) must(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = at
	return d.apply()
}

// apply gives the socket the limit that is wanted; d.mu is held.
func (d *deadline) apply() error {
	d.socket = d.wanted
	return d.set(d.wanted)
}

// passed is called when an operation has timed out. It reports whether the limit that is wanted has passed;
// otherwise the operation has to be tried again.
func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted.IsZero() && !time.Now().Before(d.wanted) {
		return true
	}
	return d.apply() != nil
}

// read reads within the limit.
func (c *connection) read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || c.reading.passed() {
			return n, err
		}
	}
}

// Write writes within the limit.
func (c *connection) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := c.Conn.Write(p[written:])
		written += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || c.writing.passed() {
			return written, err
		}
	}
}

// SetDeadline limits reading and writing. Unlike the other two it always reaches the socket, whose error says
// whether that is open.
func (c *connection) SetDeadline(at time.Time) error {
	return errors.Join(c.reading.must(at), c.writing.must(at))
}

// SetReadDeadline limits reading.
func (c *connection) SetReadDeadline(at time.Time) error { return c.reading.want(at) }

// SetWriteDeadline limits writing.
func (c *connection) SetWriteDeadline(at time.Time) error { return c.writing.want(at) }

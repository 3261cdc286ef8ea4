package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// connected returns both ends of a connection; the server's is tracked.
func connected(t *testing.T) (tracked *connection, client net.Conn) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err = (&net.Dialer{}).DialContext(context.WithoutCancel(t.Context()), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l := newLimiter(1)
	tracked = l.track(accepted)
	t.Cleanup(func() { _ = tracked.Close() })
	return tracked, client
}

const soon = 20 * time.Millisecond

// Of several deadlines the last one counts, whether it is earlier or later than those before it.
func TestReadDeadline(t *testing.T) {
	t.Parallel()
	for name, deadlines := range map[string][]time.Duration{
		"one":                  {soon},
		"earlier":              {time.Hour, soon},
		"later":                {soon, 5 * soon},
		"much later and back":  {soon, time.Hour, 2 * soon},
		"removed and set":      {soon, 0, 3 * soon},
		"in the past":          {time.Hour, -time.Hour},
		"in the past and then": {-time.Hour, 0, soon},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := connected(t)
			began := time.Now()
			var last time.Duration
			for _, last = range deadlines {
				at := began.Add(last)
				if last == 0 {
					at = time.Time{}
				}
				if err := c.SetReadDeadline(at); err != nil {
					t.Fatal(err)
				}
			}
			n, err := c.Read(make([]byte, 1))
			if spent := time.Since(began); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || spent < last {
				t.Errorf("Read = %d, %v after %s, want a timeout after %s", n, err, spent, last)
			}
		})
	}
}

// A deadline that was removed, or moved, ends no read, also one that has begun.
func TestReadDeadlineThatDoesNotCount(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]time.Duration{"removed": 0, "moved": time.Hour} {
		for when, wait := range map[string]time.Duration{"before the read": 0, "in the read": soon / 2, "when it has passed": 2 * soon} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				c, client := connected(t)
				if err := c.SetReadDeadline(time.Now().Add(soon)); err != nil {
					t.Fatal(err)
				}
				move := func() {
					at := time.Time{}
					if last > 0 {
						at = time.Now().Add(last)
					}
					_ = c.SetReadDeadline(at)
				}
				if wait == 2*soon {
					time.Sleep(wait)
				}
				if wait != soon/2 {
					move()
				}
				read := make(chan error, 1)
				go func() {
					_, err := io.ReadFull(c, make([]byte, 3))
					read <- err
				}()
				if wait == soon/2 {
					move()
				}
				time.Sleep(3 * soon)
				if _, err := client.Write([]byte("abc")); err != nil {
					t.Fatal(err)
				}
				if err := <-read; err != nil {
					t.Errorf("Read = %v, want the bytes that came after a deadline that does not count", err)
				}
			})
		}
	}
}

// A read that waits is ended by a deadline in the past, as net/http does it, and the next one waits again.
func TestReadIsAborted(t *testing.T) {
	t.Parallel()
	c, client := connected(t)
	for range 10 {
		read := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
		if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want a timeout", err)
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read = %d, %v, want the byte that was sent", n, err)
		}
	}
}

// A write whose deadline is moved goes on where it was, and loses and repeats nothing.
func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	c, client := connected(t)
	text := bytes.Repeat([]byte("0123456789"), 1<<20) // more than both sockets have room for
	if err := c.SetWriteDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		n, err := c.Write(text)
		if n != len(text) {
			err = errors.Join(err, io.ErrShortWrite)
		}
		written <- err
	}()
	time.Sleep(3 * soon)
	got := make([]byte, len(text))
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, text) {
		t.Errorf("the client got other bytes: %v", err)
	}
	if err := <-written; err != nil {
		t.Errorf("Write = %v", err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(soon)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Write(text); n == len(text) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %d, %v, want a timeout, since the client takes nothing", n, err)
	}
}

// net/http sets deadlines with each request; those that change nothing for the socket are not passed on.
func TestDeadlinesAreSetSeldom(t *testing.T) {
	t.Parallel()
	set := 0
	d := deadline{set: func(time.Time) error { set++; return nil }}
	for i := range 100 {
		for _, at := range []time.Time{time.Now().Add(time.Hour + time.Duration(i)*time.Second), {}} {
			if err := d.want(at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if set != 1 {
		t.Errorf("the socket's deadline was set %d times, want once", set)
	}
}

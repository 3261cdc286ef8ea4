package store_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay is the network between a daemon and a server.
type relay struct {
	listener net.Listener
	server   string

	mu      sync.Mutex
	deaf    bool // what the server answers is lost
	cut     bool // connections end with the next answer of the server, and new ones at once
	once    bool // only that one connection ends
	dropped int  // answers that were lost
	passes  int  // so many answers pass before
	open    []net.Conn
}

func newRelay(t testing.TB, server string) *relay {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, server: server}
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.open {
			_ = c.Close()
		}
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go r.carry(client)
		}
	}()
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

// set changes the network, and returns how many answers were lost since the last change.
func (r *relay) set(deaf, cut, once bool) (dropped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dropped = r.dropped
	r.deaf, r.cut, r.once, r.dropped, r.passes = deaf, cut, once, 0, 0
	return dropped
}

// cutAfter lets some answers pass, and ends the connection with the next one.
func (r *relay) cutAfter(answers int) {
	r.set(false, true, true)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.passes = answers
}

func (r *relay) carry(client net.Conn) {
	defer client.Close()
	r.mu.Lock()
	refused := r.cut && !r.once
	r.mu.Unlock()
	if refused {
		return
	}
	var dialer net.Dialer
	server, err := dialer.Dial("tcp", r.server)
	if err != nil {
		return
	}
	defer server.Close()
	r.mu.Lock()
	r.open = append(r.open, client, server)
	r.mu.Unlock()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		lost, ends := r.answer()
		if !lost {
			_, _ = client.Write(buffer[:n])
		}
		if ends {
			return
		}
	}
}

// answer says what happens to an answer of the server, and whether the connection ends then.
func (r *relay) answer() (lost, ends bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.passes > 0 {
		r.passes--
		return false, false
	}
	lost, ends = r.deaf || r.cut, r.cut
	if lost {
		r.dropped++
	}
	if r.once {
		r.deaf, r.cut, r.once = false, false, false
	}
	return lost, ends
}

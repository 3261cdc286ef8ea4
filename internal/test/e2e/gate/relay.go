package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// relay passes what the CA sends on to the connector. step-ca keeps its connection to a webhook
// open, and so looks at the connector's certificate once; when the relay has cut that connection,
// it has to look again.
type relay struct {
	listener net.Listener
	target   string
	working  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{} // the CA's connections
}

// startRelay relays to a port of 127.0.0.1 until close.
func startRelay(ctx context.Context, target int) (*relay, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the relay: %w", err)
	}
	r := &relay{
		listener: listener,
		target:   net.JoinHostPort("127.0.0.1", strconv.Itoa(target)),
		open:     map[net.Conn]struct{}{},
	}
	r.working.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			r.working.Go(func() { r.pass(ctx, client) })
		}
	})
	return r, nil
}

// pass relays one connection until either end closes it. Where the connector does not answer, the CA
// sees its connection closed, which is as much of a fault as one that is refused.
func (r *relay) pass(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	if !r.hold(client) {
		return
	}
	defer r.forget(client)
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.target)
	if err != nil {
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	answers.Wait()
}

func (r *relay) hold(client net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.open[client] = struct{}{}
	}
	return !r.closed
}

func (r *relay) forget(client net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, client)
}

// cut ends the connections that are open and returns how many there were.
func (r *relay) cut() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := len(r.open)
	for client := range r.open {
		_ = client.Close()
	}
	clear(r.open)
	return count
}

// close ends the relay.
func (r *relay) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	err := r.listener.Close()
	r.cut()
	r.working.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// relayTo puts a new relay in front of a port, in place of the one before.
func (g *Gate) relayTo(ctx context.Context, port int) error {
	if g.relay != nil {
		if err := g.relay.close(); err != nil {
			return err
		}
	}
	var err error
	g.relay, err = startRelay(ctx, port)
	return err
}

// CutConnections ends every connection that the CA has to the connector and returns how many there
// were: for its next question the CA has to make a new one. It takes a gate that is Relayed.
func (g *Gate) CutConnections() int { return g.relay.cut() }

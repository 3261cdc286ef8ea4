// Package relay passes TCP connections on, without a look into them. A gate uses it to close step-ca's connections to a
// connector, and the balancer to distribute them among replicas.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Dial connects to where the next connection goes.
type Dial func(ctx context.Context) (net.Conn, error)

// Relay is a listener and the connections that it passes on.
type Relay struct {
	listener net.Listener
	dial     Dial
	working  sync.WaitGroup
	failed   error // of the listener; written before working is done

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]struct{} // the clients' connections
}

// Start relays what connects to an address, until Close. When dial fails, the client's connection is closed.
func Start(ctx context.Context, address string, dial Dial) (*Relay, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the relay: %w", err)
	}
	r := &Relay{listener: listener, dial: dial, open: map[net.Conn]struct{}{}}
	r.working.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				r.failed = err
				return
			}
			r.working.Go(func() { r.pass(ctx, client) })
		}
	})
	return r, nil
}

// Address is where the relay listens.
func (r *Relay) Address() string { return r.listener.Addr().String() }

// pass relays one connection until both ends have closed it, or Cut has.
func (r *Relay) pass(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	if !r.hold(client) {
		return
	}
	defer r.forget(client)
	server, err := r.dial(ctx)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var answers sync.WaitGroup
	answers.Go(func() { forward(client, server) })
	forward(server, client)
	answers.Wait()
}

// forward copies one direction. The end of the stream closes that direction only; an error closes both.
func forward(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}

func (r *Relay) hold(client net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.open[client] = struct{}{}
	}
	return !r.closed
}

func (r *Relay) forget(client net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, client)
}

// Cut closes all connections and returns their number.
func (r *Relay) Cut() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := len(r.open)
	for client := range r.open {
		_ = client.Close()
	}
	clear(r.open)
	return count
}

// Close stops listening and closes all connections.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	err := r.listener.Close()
	r.Cut()
	r.working.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Wait returns when the relay accepts no more connections, with the reason.
func (r *Relay) Wait() error {
	r.working.Wait()
	return r.failed
}

// Command balancer is a TCP load balancer for the tests: each connection goes to another address of a
// name, or to the next one where that does not answer. Arguments: where to listen, and where to go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const dialTimeout = 2 * time.Second

func main() {
	fmt.Fprintln(os.Stderr, balance(context.Background(), os.Args[1:]))
	os.Exit(1)
}

// balance returns only when it cannot go on.
func balance(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: balancer LISTEN TARGET")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return err
	}
	var turn atomic.Uint64
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := forward(ctx, client, args[1], turn.Add(1)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

// forward carries a connection to one of the target's addresses.
func forward(ctx context.Context, client net.Conn, target string, turn uint64) error {
	defer func() { _ = client.Close() }()
	server, err := dial(ctx, target, turn)
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
	return nil
}

func dial(ctx context.Context, target string, turn uint64) (net.Conn, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	// Asked anew each time: replicas come and go.
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	for i := range addresses {
		address := net.JoinHostPort(addresses[(turn+uint64(i))%uint64(len(addresses))], port)
		var server net.Conn
		server, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", address)
		if err == nil {
			return server, nil
		}
	}
	return nil, err
}

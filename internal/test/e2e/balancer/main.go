// Command balancer is a TCP load balancer for the tests: each connection goes to the next address of a name, or to the
// one after it when that does not answer. Arguments: where to listen, and the name with its port.
//
// In place of the name, endpoints:FILE is a file with one address and port a line. Each connection goes to the next one of
// these only, as with a Service of Kubernetes: one that does not answer is the fault of whoever wrote the file.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/test/e2e/relay"
)

const dialTimeout = 2 * time.Second

func main() {
	fmt.Fprintln(os.Stderr, balance(context.Background(), os.Args[1:]))
	os.Exit(1)
}

// balance returns only when it can accept no more connections.
func balance(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: balancer LISTEN TARGET, or balancer LISTEN endpoints:FILE")
	}
	next := dial
	target, ofFile := strings.CutPrefix(args[1], "endpoints:")
	if ofFile {
		next = dialEndpoint
	}
	var turn atomic.Uint64
	r, err := relay.Start(ctx, args[0], func(ctx context.Context) (net.Conn, error) {
		server, err := next(ctx, target, turn.Add(1))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return server, err
	})
	if err != nil {
		return err
	}
	return r.Wait()
}

func dial(ctx context.Context, target string, turn uint64) (net.Conn, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return nil, err
	}
	// Resolved for each connection, because replicas come and go.
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

// dialEndpoint reads the file for each connection: whoever writes it replaces it by rename.
func dialEndpoint(ctx context.Context, path string, turn uint64) (net.Conn, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	endpoints := strings.Fields(string(text))
	if len(endpoints) == 0 {
		return nil, errors.New("there is no endpoint")
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", endpoints[turn%uint64(len(endpoints))])
}

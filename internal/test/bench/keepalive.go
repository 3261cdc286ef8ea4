package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections is how many clients call at once.
const connections = 16

const (
	dialLimit  = 10 * time.Second
	roundLimit = 60 * time.Second
)

// client is one HTTP/1.1 connection. It sends requests that were made before, so that it takes as
// little as possible of the machine while the server is measured.
type client struct {
	connection *tls.Conn
	reader     *bufio.Reader
}

// tlsConfig is that of a client which speaks HTTP/1.1. Both servers get the same key exchange from it.
func (b *bench) tlsConfig(mutual bool) *tls.Config {
	config := &tls.Config{
		RootCAs: b.identity.trusted, MinVersion: tls.VersionTLS13, ServerName: host,
		CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: []string{"http/1.1"},
	}
	if mutual {
		config.Certificates = []tls.Certificate{b.identity.client}
	}
	return config
}

func connect(ctx context.Context, address string, config *tls.Config) (*client, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialLimit}, Config: config}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	encrypted, ok := connection.(*tls.Conn)
	if !ok {
		return nil, errors.New("connect: not a TLS connection")
	}
	return &client{encrypted, bufio.NewReader(encrypted)}, nil
}

// keepAlive are connections that are used again and again.
type keepAlive []*client

func (b *bench) keepAlive(ctx context.Context, t *target, count int) (keepAlive, error) {
	var all keepAlive
	for range count {
		c, err := connect(ctx, t.address, b.tlsConfig(t.mutual))
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (k keepAlive) close() {
	for _, c := range k {
		_ = c.connection.Close()
	}
}

// drive makes the calls, each connection its share of them, one after the other.
func (k keepAlive) drive(ctx context.Context, calls []call) error {
	deadline := time.Now().Add(roundLimit)
	defer context.AfterFunc(ctx, k.close)()
	return inParallel(len(k), func(i int) error {
		if err := k[i].connection.SetDeadline(deadline); err != nil {
			return fmt.Errorf("set deadline: %w", err)
		}
		for n := i; n < len(calls); n += len(k) {
			if err := k[i].do(calls[n]); err != nil {
				return err
			}
		}
		return nil
	})
}

// do sends one request and checks its answer.
func (c *client) do(one call) error {
	if _, err := c.connection.Write(one.wire); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if err := one.check(response); err != nil {
		return err
	}
	if response.Close && !one.closing {
		return errors.New("the server closes a connection that is to be kept")
	}
	return nil
}

// inParallel calls do with every number below count, all at once, and joins what went wrong.
func inParallel(count int, do func(i int) error) error {
	faults := make([]error, count)
	var working sync.WaitGroup
	for i := range count {
		working.Go(func() { faults[i] = do(i) })
	}
	working.Wait()
	return errors.Join(faults...)
}

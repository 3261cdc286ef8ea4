package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"sync"
	"time"
)

// connections is how many clients call at once, each on a connection that it keeps.
const connections = 16

const (
	dialLimit  = 10 * time.Second
	roundLimit = 60 * time.Second
)

// client is one HTTP/1.1 connection. It sends requests that were made before, so that it takes as
// little as possible of the machine while the server is measured.
type client struct {
	connection net.Conn
	reader     *bufio.Reader
}

// clients are all the connections to one server.
type clients []*client

func dial(ctx context.Context, address string, trusted *x509.CertPool) (clients, error) {
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: dialLimit},
		Config:    &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}},
	}
	var all clients
	for range connections {
		connection, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			all.close()
			return nil, fmt.Errorf("connect: %w", err)
		}
		all = append(all, &client{connection, bufio.NewReader(connection)})
	}
	return all, nil
}

func (cs clients) close() {
	for _, c := range cs {
		_ = c.connection.Close()
	}
}

// drive makes the calls, each connection its share of them, one after the other.
func (cs clients) drive(ctx context.Context, calls []call) error {
	deadline := time.Now().Add(roundLimit)
	stop := context.AfterFunc(ctx, cs.close)
	defer stop()
	faults := make([]error, len(cs))
	var working sync.WaitGroup
	for i, c := range cs {
		working.Go(func() {
			if err := c.connection.SetDeadline(deadline); err != nil {
				faults[i] = fmt.Errorf("set deadline: %w", err)
				return
			}
			for n := i; n < len(calls) && faults[i] == nil; n += len(cs) {
				faults[i] = c.do(calls[n])
			}
		})
	}
	working.Wait()
	return errors.Join(faults...)
}

func (c *client) do(one call) error {
	if _, err := c.connection.Write(one.request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	switch {
	case response.StatusCode != http.StatusOK || !same(body, []byte(one.want)):
		return fmt.Errorf("wrong answer: %d %s, want 200 %s", response.StatusCode, body, one.want)
	case response.Close:
		return errors.New("the server closes a connection that is to be kept")
	}
	return nil
}

// same compares two JSON texts by value.
func same(got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	var g, w any
	return json.Unmarshal(got, &g) == nil && json.Unmarshal(want, &w) == nil && reflect.DeepEqual(g, w)
}

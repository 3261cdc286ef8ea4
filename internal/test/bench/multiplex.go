package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// multiplexed is one HTTP/2 connection that all clients share, as step-ca's do.
type multiplexed struct {
	address   string
	transport *http.Transport
	dials     atomic.Int32
}

// multiplexed connects by a first request: else every client would make a connection of its own.
func (b *bench) multiplexed(ctx context.Context, t *target) (*multiplexed, error) {
	m := b.unconnected(t)
	calls, err := b.calls(ctx, t, 1, kind{})
	if err != nil {
		return nil, err
	}
	return m, m.do(ctx, calls[0])
}

// unconnected is one that connects with its first request.
func (b *bench) unconnected(t *target) *multiplexed {
	m := &multiplexed{address: t.address}
	protocols := &http.Protocols{}
	protocols.SetHTTP2(true)
	config := b.tlsConfig(t.mutual)
	config.NextProtos = nil // the transport's
	m.transport = &http.Transport{
		TLSClientConfig: config, Protocols: protocols, DisableCompression: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			m.dials.Add(1)
			return (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, network, address)
		},
	}
	return m
}

func (m *multiplexed) close() { m.transport.CloseIdleConnections() }

func (m *multiplexed) drive(ctx context.Context, calls []call) error {
	ctx, cancel := context.WithTimeout(ctx, roundLimit)
	defer cancel()
	err := inParallel(connections, func(i int) error {
		for n := i; n < len(calls); n += connections {
			if err := m.do(ctx, calls[n]); err != nil {
				return err
			}
		}
		return nil
	})
	if dials := m.dials.Load(); dials != 1 {
		err = errors.Join(err, fmt.Errorf("%d connections were made, want a single one", dials))
	}
	return err
}

func (m *multiplexed) do(ctx context.Context, one call) error {
	request, err := one.request(ctx, m.address)
	if err != nil {
		return err
	}
	response, err := m.transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if response.ProtoMajor != 2 {
		_ = response.Body.Close()
		return fmt.Errorf("the answer came over %s", response.Proto)
	}
	return one.check(response)
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

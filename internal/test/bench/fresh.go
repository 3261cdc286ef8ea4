package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"
)

// freshAtOnce is how many clients make new connections at once.
const freshAtOnce = 8

// fresh makes a new TLS connection for each request.
type fresh struct {
	address string
	resumed bool
	configs []*tls.Config // one for each client, so that no other one resumes its session
}

func (b *bench) fresh(ctx context.Context, t *target, resumed bool) (*fresh, error) {
	f := &fresh{address: t.address, resumed: resumed}
	for range freshAtOnce {
		config := b.tlsConfig(t.mutual)
		if resumed {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		}
		f.configs = append(f.configs, config)
	}
	if !resumed {
		return f, nil
	}
	// The first connection of a client has no session to take up.
	calls, err := b.calls(ctx, t, freshAtOnce, kind{closing: true})
	if err != nil {
		return nil, err
	}
	f.resumed = false
	err = f.drive(ctx, calls)
	f.resumed = true
	return f, err
}

func (f *fresh) close() {}

func (f *fresh) drive(ctx context.Context, calls []call) error {
	deadline := time.Now().Add(roundLimit)
	return inParallel(len(f.configs), func(i int) error {
		for n := i; n < len(calls); n += len(f.configs) {
			if err := f.do(ctx, f.configs[i], calls[n], deadline); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fresh) do(ctx context.Context, config *tls.Config, one call, deadline time.Time) error {
	c, err := connect(ctx, f.address, config)
	if err != nil {
		return err
	}
	defer c.connection.Close()
	state := c.connection.ConnectionState()
	if state.DidResume != f.resumed || state.CurveID != tls.X25519 {
		return fmt.Errorf("the session was resumed: %v, want %v; the key exchange is %s", state.DidResume, f.resumed, state.CurveID)
	}
	if err := c.connection.SetDeadline(deadline); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	return c.do(one)
}

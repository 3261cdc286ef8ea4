package process

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
)

// Ports are chosen below the range that the system assigns by itself, so that
// no outgoing connection can take one between the test and its use.
const (
	firstPort = 20000
	portCount = 10000
	attempts  = 20
)

// ErrAddressInUse means that another program took the port meanwhile. The remedy is
// another port.
var ErrAddressInUse = errors.New("address already in use")

// FreePort returns a free TCP port of 127.0.0.1. Neither step-ca nor the connector
// reports a port that the system has chosen.
func FreePort(ctx context.Context) (int, error) {
	var lastErr error
	for range attempts {
		offset, err := rand.Int(rand.Reader, big.NewInt(portCount))
		if err != nil {
			return 0, fmt.Errorf("choose a port: %w", err)
		}
		port := firstPort + int(offset.Int64())
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			lastErr = err
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("release port %d: %w", port, err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("find a free port: %w", lastErr)
}

// RetryPort calls start with free ports until start does not return
// ErrAddressInUse.
func RetryPort(ctx context.Context, start func(ctx context.Context, port int) error) error {
	var lastErr error
	for range attempts {
		port, err := FreePort(ctx)
		if err != nil {
			return err
		}
		if lastErr = start(ctx, port); !errors.Is(lastErr, ErrAddressInUse) {
			return lastErr
		}
	}
	return lastErr
}

// PortTaken reports whether the program printed that its port is in use.
func (p *Process) PortTaken() bool {
	return strings.Contains(strings.ToLower(p.Output()), ErrAddressInUse.Error())
}

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

// Ports are drawn from below the range the system hands out by itself, so that
// no outgoing connection can take one between the trial and its use.
const (
	firstPort = 20000
	portCount = 10000
	attempts  = 20
)

// ErrAddressInUse says that somebody else took the port after all. The remedy is
// to try again with another.
var ErrAddressInUse = errors.New("address already in use")

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on. Neither
// step-ca nor the connector can be asked for a port they chose themselves.
func FreePort(ctx context.Context) (int, error) {
	var lastErr error
	for range attempts {
		offset, err := rand.Int(rand.Reader, big.NewInt(portCount))
		if err != nil {
			return 0, fmt.Errorf("draw a port: %w", err)
		}
		port := firstPort + int(offset.Int64())
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			lastErr = err
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("give back port %d: %w", port, err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("find a free port: %w", lastErr)
}

// RetryPort calls start with free ports until one is not taken by somebody else
// in the meantime, which start reports as ErrAddressInUse.
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

// PortTaken tells from what a program printed whether it could not have its port.
func (p *Process) PortTaken() bool {
	return strings.Contains(p.Output(), ErrAddressInUse.Error())
}

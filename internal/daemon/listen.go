package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"syscall"

	"step-posture-connector/internal/server"
)

// listeners are the open ports of the daemon.
type listeners struct {
	webhooks net.Listener
	api      net.Listener // nil without API_ADDRESS
	doors    net.Listener // nil without DOOR_ADDRESS
	console  net.Listener // nil without CONSOLE_ADDRESS
	health   net.Listener // nil when it is off, or its default port is taken
}

// close closes all of them, for a daemon that does not start.
func (l listeners) close() {
	for _, listener := range []net.Listener{l.webhooks, l.api, l.doors, l.console, l.health} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}

// listen opens all ports, or none.
func (s *service) listen(ctx context.Context) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	open := func(address string) (net.Listener, error) { return (&net.ListenConfig{}).Listen(ctx, "tcp", address) }
	const another = "set it to another address, or to off"
	address := net.JoinHostPort(string(s.config.BindAddress), strconv.Itoa(int(s.config.Port)))
	if l.webhooks, err = open(address); err != nil {
		return l, fmt.Errorf("BIND_ADDRESS, PORT: %w; %s", err, bindAdvice(err, "set them to an address of this machine and a port that is free"))
	}
	if !s.config.HealthAddress.Off() {
		l.health, err = open(string(s.config.HealthAddress))
		switch {
		case err == nil:
		case !s.healthWanted && errors.Is(err, syscall.EADDRINUSE):
			// The operator did not set it: another program on its default port, maybe a second connector, is no reason to
			// refuse every device.
			s.Warnings = append(s.Warnings, fmt.Sprintf("HEALTH_ADDRESS: %v; running without health checks and metrics; %s", err, another))
		default:
			return l, fmt.Errorf("HEALTH_ADDRESS: %w; %s", err, bindAdvice(err, another))
		}
	}
	if !s.config.APIAddress.Off() {
		if l.api, err = open(string(s.config.APIAddress)); err != nil {
			return l, fmt.Errorf("API_ADDRESS: %w; %s", err, bindAdvice(err, another))
		}
	}
	if !s.config.DoorAddress.Off() {
		if l.doors, err = open(string(s.config.DoorAddress)); err != nil {
			return l, fmt.Errorf("DOOR_ADDRESS: %w; %s", err, bindAdvice(err, "set it to an address of this machine and a port that is free"))
		}
	}
	if !s.config.ConsoleAddress.Off() {
		if l.console, err = open(string(s.config.ConsoleAddress)); err != nil {
			return l, fmt.Errorf("CONSOLE_ADDRESS: %w; %s", err, bindAdvice(err, another))
		}
		if err = s.onLoopback(l.console); err != nil {
			return l, err
		}
	}
	return l, nil
}

// bindAdvice says what to do about a port that cannot be opened.
func bindAdvice(err error, otherwise string) string {
	if errors.Is(err, fs.ErrPermission) {
		return "ports below 1024 need a privilege: choose one above 1023, or give the program CAP_NET_BIND_SERVICE"
	}
	return otherwise
}

// serveBeside serves the listener of a variable until ctx is done, if there is one. Where it fails, webhooks are answered all the
// same. wait waits until its requests are answered.
func (s *service) serveBeside(ctx context.Context, variable string, beside *server.Server, listener net.Listener) (wait func()) {
	if listener == nil || beside == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := beside.Serve(ctx, listener); err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
			s.log.Errorf("the listener of %s failed: %v; webhook calls are still answered", variable, err)
		}
	}()
	return func() { <-done }
}

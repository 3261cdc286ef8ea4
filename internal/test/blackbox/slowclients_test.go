//go:build unix

package blackbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// A client that does not finish its handshake, header or body is disconnected; other requests are answered
// meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
	post := "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
	open := map[string]net.Conn{
		"no data":               connect(t, p, d.Address, "", ""),
		"half a handshake":      connect(t, p, d.Address, "", "\x16\x03\x01\x02\x00"),
		"handshake only":        connect(t, p, d.Address, "http/1.1", ""),
		"half a header":         connect(t, p, d.Address, "http/1.1", "POST /webhook/device-attest HTTP/1.1\r\nHost: x\r\n"),
		"body":                  connect(t, p, d.Address, "http/1.1", fmt.Sprintf(post, "/webhook/device-attest")),
		"body of unknown path":  connect(t, p, d.Address, "http/1.1", fmt.Sprintf(post, "/unknown")),
		"body of status":        connect(t, p, d.Address, "http/1.1", strings.Replace(fmt.Sprintf(post, "/status"), "POST", "GET", 1)),
		"HTTP/2 handshake only": connect(t, p, d.Address, "h2", ""),
		"HTTP/2 half a preface": connect(t, p, d.Address, "h2", "PRI * HTTP/2.0\r\n"),
	}
	h1, h2 := hold(t, p, d.Address, "http/1.1"), hold(t, p, d.Address, "h2")
	program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
	deadline := time.Now().Add(program.Patience)
	for name, c := range open {
		if err := c.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still open", name)
			deadline = time.Now().Add(time.Second)
		}
	}
	for protocol, h := range map[string]*held{"HTTP/1.1": h1, "HTTP/2": h2} {
		if got := <-h.answered; !strings.HasPrefix(got, `400 {"allow":false,"error":{"code":"malformed"`) {
			t.Errorf("%s: an unfinished body got %s, want malformed", protocol, got)
		}
	}
	program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
}

// Unauthenticated clients take all connections with bodies that never end, and step-ca still gets a connection.
func TestUnfinishedBodiesDoNotLockOut(t *testing.T) {
	t.Parallel()
	const limit = 16
	p := program.NewPKI(t)
	for _, protocol := range []string{"http/1.1", "h2"} {
		d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("MAX_CONNECTIONS", strconv.Itoa(limit)))
		for range 2 * limit {
			hold(t, p, d.Address, protocol)
		}
		program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
	}
}

// Unauthenticated clients hold every connection with unfinished bodies, and more of them arrive without pause: each
// of step-ca's requests, on a new connection, is answered, at the latest after step-ca's retry.
func TestFloodDoesNotLockOut(t *testing.T) {
	t.Parallel()
	const limit, aSecond, requests = 256, 400, 20
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("MAX_CONNECTIONS", strconv.Itoa(limit)))
	for range limit {
		hold(t, p, d.Address, "http/1.1")
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	defer func() { end(); <-ended }()
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.Address); err == nil {
				defer c.Close()
			}
			program.Pause(ctx, time.Second/aSecond)
		}
	}()
	for i := range requests {
		var status int
		var err error
		for range 2 {
			s := program.NewStepCA(t, p, d.Address, nil)
			if status, _, err = s.Send(t, program.WebhookBody(bareDevice)); err == nil && status == http.StatusOK {
				break
			}
			program.Pause(t.Context(), time.Second) // as step-ca
		}
		if err != nil || status != http.StatusOK {
			t.Errorf("request %d: %d, %v", i, status, err)
		}
	}
}

//go:build linux

package soak_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/test/program"
)

// callFile sends step-ca's requests to the daemon with the file, on one connection or each on a new one.
func (s *soak) callFile(newConnections bool) func(context.Context, *testing.T) {
	return func(ctx context.Context, t *testing.T) {
		t.Helper()
		certificate := s.pki.ClientCertificate(t, program.LeafTemplate("ca"))
		by := program.NewStepCA(t, s.pki, s.file.Address, certificate)
		defer func() { by.Client.CloseIdleConnections() }()
		for ctx.Err() == nil {
			if newConnections {
				by.Client.CloseIdleConnections()
			}
			id := fmt.Sprintf("soak-%d", s.requests.Add(1))
			known := s.requests.Load()%3 != 0
			serial := "C02UNKNOWN01"
			if known {
				serial = "C02XK1JKLVCG"
			}
			status, text, err := by.SendAs(t, program.WebhookBody(serial), id)
			switch {
			case err != nil:
				t.Errorf("a request was lost: %v", err)
			case known && status == http.StatusOK && s.files.Whole(text):
				s.note(s.file, "allow", id)
			case !known && status == http.StatusOK && strings.HasPrefix(text, program.NotFound):
				s.note(s.file, "notFound", id)
			default:
				t.Errorf("the daemon with the file answered about %s: %d %.300s", serial, status, text)
			}
			program.Pause(ctx, 4*time.Millisecond)
		}
	}
}

// callJamf is callFile for the daemon with the MDM, which may have no decision while the MDM has a fault.
func (s *soak) callJamf(newConnections bool) func(context.Context, *testing.T) {
	return func(ctx context.Context, t *testing.T) {
		t.Helper()
		by := program.NewStepCA(t, s.jamfPKI, s.jamf.Address, nil)
		defer func() { by.Client.CloseIdleConnections() }()
		for ctx.Err() == nil {
			if newConnections {
				by.Client.CloseIdleConnections()
			}
			known := s.requests.Add(1)%3 != 0
			serial := "C02UNKNOWN01"
			if known {
				serial = "C02XK1JKLVCG"
			}
			mayFail := s.faulty.Load()
			status, text, err := by.SendMode(t, serial, "computer")
			mayFail = mayFail || s.faulty.Load()
			switch {
			case err != nil:
				t.Errorf("a request was lost: %v", err)
			case known && status == http.StatusOK && strings.HasPrefix(text, program.Allowed):
				s.note(s.jamf, "allow", "")
			case !known && status == http.StatusOK && strings.HasPrefix(text, program.NotFound):
				s.note(s.jamf, "notFound", "")
			case mayFail && status == http.StatusServiceUnavailable && strings.Contains(text, `"code":"unavailable"`):
				s.note(s.jamf, "unavailable", "")
			default:
				t.Errorf("the daemon with the MDM answered about %s: %d %.300s", serial, status, text)
			}
			program.Pause(ctx, 10*time.Millisecond)
		}
	}
}

func (s *soak) note(d *program.Daemon, outcome, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered[d][outcome]++
	if id != "" {
		s.ids = append(s.ids, id)
	}
}

// changeFiles replaces certificate, bundle and inventory, every other time by a broken file. The last files are
// good.
func (s *soak) changeFiles(ctx context.Context, t *testing.T) {
	t.Helper()
	for i := 0; ctx.Err() == nil; i++ {
		s.files.Swap(t, []string{"", "pair", "", "bundle", "", "inventory"}[i%6])
		program.Pause(ctx, 400*time.Millisecond)
	}
	s.files.Swap(t, "")
}

// failJamf makes the MDM fail in every way, with healthy times between.
func (s *soak) failJamf(ctx context.Context, t *testing.T) {
	t.Helper()
	faults := []vendortest.Fault{
		{Kind: vendortest.Answer, Status: http.StatusServiceUnavailable},
		{Kind: vendortest.Answer, Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "1"}},
		{Kind: vendortest.Hang},
		{Kind: vendortest.Truncate},
		{Kind: vendortest.Reset},
		{Kind: vendortest.Answer, Body: "<html>"},
		{Kind: vendortest.Slow, Delay: 200 * time.Millisecond},
		{Kind: vendortest.Redirect},
		{Kind: vendortest.Endless},
	}
	for i := 0; ctx.Err() == nil; i++ {
		s.faulty.Store(true)
		s.vendor.Revoke()
		s.vendor.Fail(faults[i%len(faults)])
		program.Pause(ctx, 400*time.Millisecond)
		s.vendor.Heal()
		program.Pause(ctx, 400*time.Millisecond)
		if i%len(faults) == len(faults)-1 {
			// Retry-After was at most a second; after that every lookup succeeds.
			program.Pause(ctx, 4*time.Second)
			s.faulty.Store(false)
			program.Pause(ctx, time.Second)
		}
	}
}

// rotate renames the audit log and sends SIGHUP.
func (s *soak) rotate(ctx context.Context, t *testing.T) {
	t.Helper()
	for ctx.Err() == nil {
		if err := os.Rename(s.audit, fmt.Sprint(s.audit, ".", s.rotated)); err != nil {
			t.Errorf("rotate: %v", err)
		}
		s.rotated++
		s.file.Hangup(t)
		s.file.Eventually(t, "the audit log is reopened", func() bool { _, err := os.Stat(s.audit); return err == nil })
		program.Pause(ctx, time.Second)
	}
}

// unauthenticated sends requests of unauthenticated clients; none may be allowed.
func (s *soak) unauthenticated(d *program.Daemon) func(context.Context, *testing.T) {
	return func(ctx context.Context, t *testing.T) {
		t.Helper()
		for i := 0; ctx.Err() == nil; i++ {
			c, err := (&net.Dialer{Timeout: program.Patience}).DialContext(ctx, "tcp", d.Address)
			if err != nil {
				continue
			}
			if i%2 == 0 {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
			}
			_ = c.SetDeadline(time.Now().Add(time.Second))
			text := []string{
				"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /webhook/device-attest HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
				"\x16\x03\x01\xff\xff", "GET /status HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 20_000) + "\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n",
			}[i%5]
			_, _ = io.WriteString(c, text)
			answer, _ := io.ReadAll(io.LimitReader(c, 4096))
			if strings.Contains(string(answer), `"allow":true`) {
				t.Errorf("an unauthenticated client got %s", answer)
			}
			_ = c.Close()
			program.Pause(ctx, 20*time.Millisecond)
		}
	}
}

// slowClients hold connections and send one byte.
func (s *soak) slowClients(d *program.Daemon) func(context.Context, *testing.T) {
	return func(ctx context.Context, t *testing.T) {
		t.Helper()
		var open []net.Conn
		defer func() {
			for _, c := range open {
				_ = c.Close()
			}
		}()
		for ctx.Err() == nil {
			if c, err := (&net.Dialer{Timeout: program.Patience}).DialContext(ctx, "tcp", d.Address); err == nil {
				_, _ = io.WriteString(c, "\x16")
				open = append(open, c)
			}
			if len(open) > 20 {
				_ = open[0].Close()
				open = open[1:]
			}
			program.Pause(ctx, 50*time.Millisecond)
		}
	}
}

// watch asks what Prometheus and a container's health check ask.
func (s *soak) watch(ctx context.Context, t *testing.T) {
	t.Helper()
	for ctx.Err() == nil {
		for _, d := range []*program.Daemon{s.file, s.jamf} {
			for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
				if status, text := d.Get(t, path); status != http.StatusOK {
					t.Errorf("%s = %d %.300s", path, status, text)
				}
			}
		}
		program.Pause(ctx, 200*time.Millisecond)
	}
}

package daemon_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/daemon"
)

const patience = 30 * time.Second // how long a test waits for an event; far more than it takes

// running is a daemon in this process, whose clock can be set.
type running struct {
	in              installation
	address, health string
	ahead           atomic.Int64 // by how much its clock is, in nanoseconds
	reloads         chan os.Signal
	end             context.CancelFunc
	ended           chan error

	mu  sync.Mutex
	log bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *running) said(text string) bool { return strings.Contains(r.text(), text) }

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// run starts the daemon of a valid installation.
func run(t *testing.T) *running {
	t.Helper()
	return install(t).run(t, nil)
}

// run starts the daemon on ports that were free a moment ago.
func (in installation) run(t *testing.T, changes map[string]string) *running {
	t.Helper()
	r := &running{in: in, reloads: make(chan os.Signal), ended: make(chan error, 1)}
	r.address, r.health = free(t), free(t)
	_, port, _ := net.SplitHostPort(r.address)
	all := map[string]string{"BIND_ADDRESS": "127.0.0.1", "PORT": port, "HEALTH_ADDRESS": r.health}
	maps.Copy(all, changes)
	d := r.in.loaded(t, all)
	d.SetClock(func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) })
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	r.end = end
	go func() { r.ended <- d.Serve(ctx, r, daemon.Process{Reloads: r.reloads}) }()
	t.Cleanup(func() {
		end()
		if err := <-r.ended; err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
	r.eventually(t, "it listens", func() bool { return r.said("listening on") })
	return r
}

// free chooses a port below those that the system gives out by itself.
func free(t *testing.T) string {
	t.Helper()
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 29100+time.Now().UnixNano()/1000%3000)
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err == nil {
			_ = l.Close()
			return address
		}
	}
}

func (r *running) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s without success: %s\n%s", patience, what, r.text())
		}
	}
}

// ask makes a webhook call now, by the clock of this machine, and returns the answer.
func (r *running) ask(t *testing.T) string {
	t.Helper()
	body := fmt.Appendf(nil, `{"timestamp":%q,"attestationData":{"permanentIdentifier":"C02XK1JKLVCG"},"x509Certificate":{"raw":null}}`, time.Now().Format(time.RFC3339Nano))
	return r.post(t, "/webhook/device-attest", body, r.signed(t, body, http.Header{}))
}

// post sends a request to the daemon, and returns status and body.
func (r *running) post(t *testing.T, path string, body []byte, header http.Header) string {
	t.Helper()
	pem, err := os.ReadFile(r.in.path("server.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "connector.example.com", MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.address+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	return fetch(t, &http.Client{Transport: transport, Timeout: patience}, request)
}

// webhookID is that of the webhook of the environment.
const webhookID = "98a6ad8d-d8e5-4d1d-b465-770fb66a5207"

// signed adds the signature of the webhook of the environment.
func (r *running) signed(t *testing.T, body []byte, header http.Header) http.Header {
	t.Helper()
	secret, err := base64.StdEncoding.DecodeString(r.in.secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	header = header.Clone()
	header.Set("X-Smallstep-Webhook-Id", webhookID)
	header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	return header
}

func fetch(t *testing.T, client *http.Client, request *http.Request) string {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, text)
}

func (r *running) ready(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.health+"/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, &http.Client{Timeout: patience}, request)
}

// The clock is put forward or back by hours: requests are refused as too old or from the future, the
// certificate counts as expired or not yet valid and is not reloaded, and nothing else happens. When
// the clock is right again, requests are accepted again.
func TestClockJump(t *testing.T) {
	t.Parallel()
	r := run(t)
	want := func(what, got, begin string, parts ...string) {
		t.Helper()
		if !strings.HasPrefix(got, begin) {
			t.Errorf("%s: %s, want %s…", what, got, begin)
		}
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %s, want something with %q", what, got, part)
			}
		}
	}
	reload := func() {
		t.Helper()
		before := r.lines()
		r.reloads <- syscall.SIGHUP
		r.eventually(t, "certificate and inventory are reloaded, or refused", func() bool { return r.lines() >= before+2 })
	}
	for name, jump := range map[string]struct {
		by      time.Duration
		message string
	}{
		"two hours forward": {2 * time.Hour, "the server certificate expired at"},
		"two hours back":    {-2 * time.Hour, "the server certificate is not valid before"},
	} {
		want(name+", before", r.ask(t), `200 {"allow":true`)
		want(name+", before", r.ready(t), `200 {"status":"ok"`)
		r.ahead.Store(int64(jump.by))
		want(name, r.ask(t), `200 {"allow":false,"error":{"code":"requestExpired"`)
		want(name, r.ready(t), `503 {"status":"unavailable"`, jump.message)
		reload()
		if !r.said("keeping the previous version: TLS certificate") {
			t.Errorf("%s: the certificate was reloaded", name)
		}
		r.ahead.Store(0)
		want(name+", right again", r.ask(t), `200 {"allow":true`)
		reload()
		want(name+", right again", r.ready(t), `200 {"status":"ok"`)
	}
	// One hour is within the life of this certificate: only requests are refused.
	r.ahead.Store(int64(-59 * time.Minute))
	want("within its life", r.ask(t), `200 {"allow":false,"error":{"code":"requestExpired"`)
	want("within its life", r.ready(t), `200 {"status":"ok"`)
}

// lines counts the reloads in the log.
func (r *running) lines() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.log.String(), "reloaded: ") + strings.Count(r.log.String(), "reload failed")
}

package webhook_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// A provider that does not answer is cut off in time, and the answer is still sent.
func TestProviderIsCutOff(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	var calls int
	var mu sync.Mutex
	// The budget has almost ended when the provider is asked.
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if calls == 1 {
			return recorded()
		}
		return recorded().Add(webhook.Budget - 550*time.Millisecond)
	}
	var left time.Duration
	c := start(t, inventory(func(ctx context.Context, _ posture.Query) (posture.Device, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		<-ctx.Done()
		return posture.Device{}, ctx.Err()
	}), func(h *webhook.Handler) { h.Now = clock }, s.hook(t))
	wantRefusal(t, c.post(t, s.headers(), s.body), http.StatusServiceUnavailable, "unavailable")
	if left > 100*time.Millisecond {
		t.Errorf("the provider was given %s, want no more than was left of the budget", left)
	}
}

// The connection of an unauthenticated client is closed after the answer; step-ca's stays open.
func TestUnauthenticatedConnectionIsClosed(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		want         bool
	}{
		"not authenticated": {http.MethodPost, webhook.AttestPath, nil, true},
		"unknown path":      {http.MethodPost, "/", nil, true},
		"wrong method":      {http.MethodGet, webhook.AttestPath, nil, true},
		"allowed":           {http.MethodPost, webhook.AttestPath, s.headers(), false},
		"status":            {http.MethodGet, webhook.StatusPath, nil, false},
		"refused":           {http.MethodPost, webhook.AttestPath + "?mode=x", s.headers(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, having("C02HARNESS01", ""), nil, s.hook(t))
			transport := c.Client().Transport.(*http.Transport).Clone()
			transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
			transport.ForceAttemptHTTP2 = false
			defer transport.CloseIdleConnections()
			response, err := (&http.Client{Transport: transport}).Do(c.request(t, test.method, test.path, test.header, s.body))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.Close != test.want {
				t.Errorf("the connection is closed: %v, want %v", response.Close, test.want)
			}
		})
	}
}

// On HTTP/2 the connection is closed after an unauthenticated request, but requests in flight finish first.
func TestClosingIsGracefulOnHTTP2(t *testing.T) {
	t.Parallel()
	s := readSample(t, "acme-da-x509-enriching")
	asked, release := make(chan struct{}), make(chan struct{})
	c := start(t, inventory(func(context.Context, posture.Query) (posture.Device, error) {
		close(asked)
		<-release
		return posture.Device{Identifier: "C02HARNESS01", Facts: posture.Facts{Managed: posture.Known(true)}}, nil
	}), nil, s.hook(t))
	request := c.request(t, http.MethodPost, webhook.AttestPath, s.headers(), s.body)
	answered := make(chan string, 1)
	go func() {
		response, err := c.Client().Do(request)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		answered <- response.Proto + " " + response.Status
	}()
	<-asked
	wantRefusal(t, c.post(t, nil, s.body), http.StatusUnauthorized, "unauthenticated")
	close(release)
	if got := <-answered; !strings.HasPrefix(got, "HTTP/2.0 200") {
		t.Errorf("the request in flight got %q, want HTTP/2.0 200", got)
	}
}

// The server's limit for reading a request ends with its body: a lookup may take longer.
func TestLookupOutlastsTheReadTimeout(t *testing.T) {
	t.Parallel()
	provider := inventory(func(ctx context.Context, q posture.Query) (posture.Device, error) {
		select {
		case <-time.After(3 * time.Second):
			return posture.Device{Identifier: q.Identifier.String(), Facts: posture.Facts{Managed: posture.Known(true)}}, nil
		case <-ctx.Done():
			return posture.Device{}, ctx.Err()
		}
	})
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			handler := &webhook.Handler{Tolerance: 30 * time.Second, Now: recorded, Record: func(*audit.Event) {}}
			handler.Use(hooksOf(gateOf(provider), testHook()))
			server := httptest.NewUnstartedServer(handler)
			server.Config.ReadTimeout = 1500 * time.Millisecond
			server.EnableHTTP2 = protocol == "HTTP/2.0"
			server.StartTLS()
			t.Cleanup(server.Close)
			body := []byte(`{` + stamp + `,` + data + `,` + cert + `}`)
			c := &connector{Server: server}
			if r := c.post(t, signed(testHook(), body), body); r.status != http.StatusOK {
				t.Errorf("got status %d: %s, want the device to be allowed", r.status, r.text)
			}
		})
	}
}

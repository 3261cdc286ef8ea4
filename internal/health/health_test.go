package health_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"step-posture-connector/internal/health"
)

func is(status health.Status, message string) func() (health.Status, string) {
	return func() (health.Status, string) { return status, message }
}

// start serves a Handler with checks over HTTP, and returns its address.
func start(t *testing.T, checks ...health.Check) (*health.Handler, string) {
	t.Helper()
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") })
	h := health.New(checks, metrics)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return h, s.Listener.Addr().String()
}

func request(t *testing.T, method, address, path string) (status int, header http.Header, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, strings.TrimSpace(string(body))
}

// The worst check decides, and each is named.
func TestReady(t *testing.T) {
	t.Parallel()
	good := health.Check{Name: "good", Probe: is(health.OK, "")}
	stale := health.Check{Name: "stale", Probe: is(health.Degraded, "fix <it>")}
	broken := health.Check{Name: "broken", Probe: is(health.Unavailable, "gone")}
	for name, test := range map[string]struct {
		checks   []health.Check
		stopping bool
		status   int
		body     string
	}{
		"healthy":     {[]health.Check{good}, false, 200, `{"status":"ok","checks":{"good":{"status":"ok"}}}`},
		"degraded":    {[]health.Check{stale, good}, false, 200, `{"status":"degraded","checks":{"good":{"status":"ok"},"stale":{"status":"degraded","message":"fix <it>"}}}`},
		"unavailable": {[]health.Check{broken, stale}, false, 503, `{"status":"unavailable","checks":{"broken":{"status":"unavailable","message":"gone"},"stale":{"status":"degraded","message":"fix <it>"}}}`},
		"stopping":    {[]health.Check{good}, true, 503, `{"status":"unavailable","checks":{"good":{"status":"ok"},"shutdown":{"status":"unavailable","message":"the daemon is shutting down"}}}`},
		"no status":   {[]health.Check{{Name: "odd", Probe: is("", "")}}, false, 503, `{"status":"unavailable","checks":{"odd":{"status":""}}}`},
		"panic":       {[]health.Check{{Name: "odd", Probe: func() (health.Status, string) { panic("secret") }}}, false, 503, `{"status":"unavailable","checks":{"odd":{"status":"unavailable","message":"the check has a fault: value of type string"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, address := start(t, test.checks...)
			if test.stopping {
				h.ShutDown()
			}
			status, header, body := request(t, http.MethodGet, address, "/readyz")
			if status != test.status || body != test.body {
				t.Errorf("/readyz = %d %s\nwant %d %s", status, body, test.status, test.body)
			}
			if got := header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	_, address := start(t, health.Check{Name: "broken", Probe: is(health.Unavailable, "")})
	for _, test := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodGet, "/healthz", 200, `{"status":"ok"}`}, // it lives, even when it cannot serve
		{http.MethodHead, "/healthz", 200, ""},
		{http.MethodGet, "/metrics", 200, "metrics"},
		{http.MethodHead, "/readyz", 503, ""},
		{http.MethodPost, "/healthz", 405, `{"error":"the method is not allowed here"}`},
		{http.MethodDelete, "/metrics", 405, `{"error":"the method is not allowed here"}`},
		{http.MethodGet, "/", 404, ""},
		{http.MethodGet, "/healthz/", 404, ""},
		{http.MethodGet, "//healthz", 404, ""},
		{http.MethodGet, "/%68ealthz", 404, ""},
		{http.MethodPost, "/webhook/device-attest", 404, ""},
	} {
		status, header, body := request(t, test.method, address, test.path)
		if status != test.status || test.body != "" && body != test.body {
			t.Errorf("%s %s = %d %s, want %d %s", test.method, test.path, status, body, test.status, test.body)
		}
		if got := header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s %s: Cache-Control %q, want no-store", test.method, test.path, got)
		}
		if allow := header.Get("Allow"); (allow == "GET, HEAD") != (test.status == http.StatusMethodNotAllowed) {
			t.Errorf("%s %s: Allow %q", test.method, test.path, allow)
		}
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		probe func() (health.Status, string)
		want  health.Status
	}{
		"ok":          {is(health.OK, ""), health.OK},
		"degraded":    {is(health.Degraded, "x"), health.Degraded},
		"unavailable": {is(health.Unavailable, "x"), health.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, address := start(t, health.Check{Name: "it", Probe: test.probe})
			_, port, _ := net.SplitHostPort(address)
			for _, at := range []string{address, ":" + port, "0.0.0.0:" + port} {
				report, err := health.Ask(t.Context(), at)
				if err != nil || report.Status != test.want || report.Checks["it"].Status != test.want {
					t.Errorf("Ask(%s) = %+v, %v, want %s", at, report, err, test.want)
				}
			}
		})
	}
}

// The answer of another program is an error, which says what to do.
func TestAskSomethingElse(t *testing.T) {
	t.Parallel()
	answering := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	const good = `{"status":"ok","checks":{}}`
	for name, test := range map[string]struct{ address, want string }{
		"web server": {answering(200, "<html>"), "is not the connector; check HEALTH_ADDRESS"},
		"other JSON": {answering(200, "{}"), "is not the connector; check HEALTH_ADDRESS"},
		"not found":  {answering(404, good), "is not the connector; check HEALTH_ADDRESS"},
		"redirect":   {answering(302, good), "is not the connector; check HEALTH_ADDRESS"},
		"endless":    {answering(200, `{"status":"`+strings.Repeat("x", 2<<20)+`"}`), "is not the connector; check HEALTH_ADDRESS"},
		"no server":  {"127.0.0.1:1", "is the daemon running, with the same HEALTH_ADDRESS?"},
		"no address": {"x", "health listener: address x: missing port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if report, err := health.Ask(t.Context(), test.address); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Ask = %+v, %v, want an error with %q", report, err, test.want)
			}
		})
	}
	// Fail closed: "ok" with another HTTP status is not OK.
	if report, err := health.Ask(t.Context(), answering(503, good)); err != nil || report.Status != health.Unavailable {
		t.Errorf("Ask of a 503 that says ok = %+v, %v, want unavailable", report, err)
	}
	if report, err := health.Ask(t.Context(), answering(200, `{"status":"great","checks":{}}`)); err != nil || report.Status != health.Unavailable {
		t.Errorf("Ask of an unknown status = %+v, %v, want unavailable", report, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := health.Ask(ctx, answering(200, good)); err == nil {
		t.Error("Ask with a context that is done found an answer")
	}
}

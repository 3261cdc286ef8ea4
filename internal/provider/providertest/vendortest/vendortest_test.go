package vendortest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

const healthyAnswer = `{"state":"healthy"}`

func started(t *testing.T) (*vendortest.Server, *http.Client) {
	t.Helper()
	return startedWith(t, vendortest.API{})
}

// startedWith starts a server that allows two requests at once, and makes a client of it.
func startedWith(t *testing.T, api vendortest.API) (*vendortest.Server, *http.Client) {
	t.Helper()
	api.AtOnce = 2
	api.Endpoint = func(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/") }
	if api.Handler == nil {
		api.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, healthyAnswer) })
	}
	server, err := vendortest.New(api)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.CertPool()}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return server, &http.Client{Transport: transport}
}

func get(ctx context.Context, t *testing.T, server *vendortest.Server, client *http.Client, path string) (status int, body string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "test")
	request.Header.Set("Authorization", "Bearer x")
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, string(content), err
}

// TestFaults: each fault is what it says, at the endpoint that it is for, and ends when it is healed.
func TestFaults(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	close(open)
	for name, row := range map[string]struct {
		fault  vendortest.Fault
		status int // 0: an error
		body   string
	}{
		"answer":   {vendortest.Fault{Kind: vendortest.Answer, Status: 418, Body: "x"}, 418, "x"},
		"no body":  {vendortest.Fault{Kind: vendortest.Answer}, 200, ""},
		"edit":     {vendortest.Fault{Kind: vendortest.Edit, Change: func(b []byte) []byte { return b[:3] }}, 200, `{"s`},
		"slow":     {vendortest.Fault{Kind: vendortest.Slow, Delay: time.Millisecond}, 200, healthyAnswer},
		"held":     {vendortest.Fault{Kind: vendortest.Hold, Until: open}, 200, healthyAnswer},
		"reset":    {vendortest.Fault{Kind: vendortest.Reset}, 0, ""},
		"truncate": {vendortest.Fault{Kind: vendortest.Truncate}, 0, ""},
		"hang":     {vendortest.Fault{Kind: vendortest.Hang}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := started(t)
			server.Fail(row.fault, "a", "b")
			ctx := t.Context()
			if row.fault.Kind == vendortest.Hang {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
			}
			status, body, err := get(ctx, t, server, client, "/a")
			if (err != nil) != (row.status == 0) || err == nil && (status != row.status || body != row.body) {
				t.Errorf("GET = %d %s, %v, want %d %s", status, body, err, row.status, row.body)
			}
			if status, body, err := get(t.Context(), t, server, client, "/c"); err != nil || status != 200 || body != healthyAnswer {
				t.Errorf("another endpoint: GET = %d %s, %v", status, body, err)
			}
			server.Heal()
			if status, body, err := get(t.Context(), t, server, client, "/b"); err != nil || status != 200 || body != healthyAnswer {
				t.Errorf("healed: GET = %d %s, %v", status, body, err)
			}
			if got := server.Violations(); len(got) > 0 {
				t.Errorf("the violations are %q", got)
			}
		})
	}
}

// TestTimes: a fault passes, and those that were added after it come next.
func TestTimes(t *testing.T) {
	t.Parallel()
	server, client := started(t)
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 500, Times: 2})
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 429, Times: 1})
	for i, want := range []int{500, 500, 429, 200, 200} {
		if status, _, err := get(t.Context(), t, server, client, "/"); err != nil || status != want {
			t.Errorf("request %d: %d, %v, want %d", i, status, err, want)
		}
	}
}

// TestAfter: a fault lets sound answers pass first, those of its endpoints only.
func TestAfter(t *testing.T) {
	t.Parallel()
	server, client := started(t)
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 500, After: 2, Times: 1}, "a")
	for i, row := range []struct {
		path string
		want int
	}{{"/a", 200}, {"/b", 200}, {"/b", 200}, {"/a", 200}, {"/b", 200}, {"/a", 500}, {"/a", 200}} {
		if status, _, err := get(t.Context(), t, server, client, row.path); err != nil || status != row.want {
			t.Errorf("request %d, to %s: %d, %v, want %d", i, row.path, status, err, row.want)
		}
	}
}

// TestTrap: a client that follows a redirect to the other host is answered, and recorded.
func TestTrap(t *testing.T) {
	t.Parallel()
	server, client := started(t)
	server.Fail(vendortest.Fault{Kind: vendortest.Redirect})
	if status, body, err := get(t.Context(), t, server, client, "/a"); err != nil || status != 200 || body != healthyAnswer {
		t.Errorf("GET = %d %s, %v", status, body, err)
	}
	if got := server.Violations(); len(got) != 1 || !strings.Contains(got[0], "with its bearer token") {
		t.Errorf("the violations are %q, want one about the token", got)
	}
}

func TestEndless(t *testing.T) {
	t.Parallel()
	server, client := started(t)
	server.Fail(vendortest.Fault{Kind: vendortest.Endless})
	if _, body, err := get(t.Context(), t, server, client, "/a"); err != nil || len(body) != 1<<20 {
		t.Errorf("GET = %d bytes, %v, want what was asked for", len(body), err)
	}
	if got := server.Violations(); len(got) > 0 {
		t.Errorf("the violations are %q", got)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "test")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Error("the endless answer has an end")
	}
	if got := server.Violations(); len(got) != 1 {
		t.Errorf("the violations are %q, want one", got)
	}
}

func TestDownAndUp(t *testing.T) {
	t.Parallel()
	server, client := started(t)
	for range 2 {
		if _, _, err := get(t.Context(), t, server, client, "/"); err != nil {
			t.Errorf("GET = %v", err)
		}
		server.Down()
		if _, _, err := get(t.Context(), t, server, client, "/"); err == nil {
			t.Error("GET succeeds while the server is down")
		}
		server.Up()
	}
}

// TestConnectionsAndAbandoned: a client that leaves before its answer is counted, one that gets it is not.
func TestConnectionsAndAbandoned(t *testing.T) {
	t.Parallel()
	server, client := started(t)
	if status, _, err := get(t.Context(), t, server, client, "/"); err != nil || status != 200 || server.Abandoned() != 0 || server.Connections() != 1 {
		t.Errorf("GET = %d, %v; abandoned %d, connections %d, want 0 and 1", status, err, server.Abandoned(), server.Connections())
	}
	for i, fault := range []vendortest.Fault{{Kind: vendortest.Hang}, {Kind: vendortest.Slow, Delay: time.Hour}, {Kind: vendortest.Hold}} {
		fault.Times = 1
		server.Fail(fault)
		before := server.Count()
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { _, _, err := get(ctx, t, server, client, "/"); left <- err }()
		if err := server.Await(t.Context(), func() bool { return server.Count() > before }); err != nil {
			t.Fatal(err)
		}
		leave()
		if err := <-left; err == nil {
			t.Errorf("%s: the client got an answer", fault.Kind)
		}
		if err := server.Await(t.Context(), func() bool { return server.Abandoned() == i+1 }); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); server.Connections() < 2 && time.Now().Before(end); {
		client.CloseIdleConnections() // does nothing until the client is done with the requests that were canceled
		if status, _, err := get(t.Context(), t, server, client, "/"); err != nil || status != 200 {
			t.Errorf("GET = %d, %v, want 200", status, err)
		}
	}
	if server.Abandoned() != 3 || server.Connections() != 2 {
		t.Errorf("abandoned %d, connections %d, want 3 and 2", server.Abandoned(), server.Connections())
	}
}

// TestFreezeAndStall: a frozen connection answers no more and is not closed, a stalled server accepts and does
// nothing; new connections work afterwards.
func TestFreezeAndStall(t *testing.T) {
	t.Parallel()
	server, client := started(t)
	const brief, ample = 300 * time.Millisecond, time.Minute
	asked := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, _, err := get(ctx, t, server, client, "/x")
		// What net/http does with a dead connection is its own affair here.
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.CertPool()}, ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		client = &http.Client{Transport: transport}
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if _, _, err := get(ctx, t, server, client, "/x"); err != nil {
		t.Fatal(err)
	}
	server.Freeze()
	if err := asked(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("on a frozen connection: %v, want no answer", err)
	}
	if err := asked(ample); err != nil {
		t.Errorf("on a new connection: %v", err)
	}
	server.Stall()
	if err := asked(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("of a stalled server: %v, want no answer", err)
	}
	server.Resume()
	if err := asked(ample); err != nil {
		t.Errorf("after the stall: %v", err)
	}
}

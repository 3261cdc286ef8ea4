package vendortest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// brief is a short API.Settle, for requests that are too many; lasting is one whose end no test waits for.
const (
	brief   = 50 * time.Millisecond
	lasting = time.Hour
)

// TestAtOnce: more requests at once than are allowed are a violation, though all of them are answered in the end.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	server, client := startedWith(t, vendortest.API{Settle: brief})
	gate := make(chan struct{})
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate})
	var together sync.WaitGroup
	for _, want := range []int{0, 0, 1} {
		before := server.InFlight()
		together.Go(func() {
			if status, _, err := get(t.Context(), t, server, client, "/a"); err != nil || status != 200 {
				t.Errorf("GET = %d, %v", status, err)
			}
		})
		if err := server.Await(t.Context(), func() bool { return server.InFlight() > before && len(server.Violations()) >= want }); err != nil {
			t.Fatal(err)
		}
		if got := server.Violations(); len(got) != want {
			t.Errorf("%d at once: the violations are %q, want %d", before+1, got, want)
		}
	}
	close(gate)
	together.Wait()
	if server.MostAtOnce() != 3 || server.Count("a") != 3 || server.InFlight() != 0 {
		t.Errorf("most %d, count %d, in flight %d, want 3, 3, 0", server.MostAtOnce(), server.Count("a"), server.InFlight())
	}
}

// TestAtOnceAnswered: an answer that would come while it is not known whether too many requests are in flight excuses nothing.
func TestAtOnceAnswered(t *testing.T) {
	t.Parallel()
	server, client := startedWith(t, vendortest.API{Settle: brief})
	gate := make(chan struct{})
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate, Times: 2})
	var together sync.WaitGroup
	defer together.Wait()
	ask := func() {
		together.Go(func() {
			if status, _, err := get(t.Context(), t, server, client, "/a"); err != nil || status != 200 {
				t.Errorf("GET = %d, %v", status, err)
			}
		})
	}
	ask()
	ask()
	if err := server.Await(t.Context(), func() bool { return server.InFlight() == 2 }); err != nil {
		t.Fatal(err)
	}
	ask()
	if err := server.Await(t.Context(), func() bool { return server.Count() == 3 }); err != nil {
		t.Fatal(err)
	}
	close(gate)
	if err := server.Await(t.Context(), func() bool { return server.InFlight() == 0 }); err != nil {
		t.Fatal(err)
	}
	if got := server.Violations(); len(got) != 1 || server.MostAtOnce() != 3 {
		t.Errorf("the violations are %q, most at once %d; want one, and 3", got, server.MostAtOnce())
	}
}

// TestAtOnceOfThoseWhoWait: a request whose client has left is not counted, even while the vendor works on it, and a client that
// may send the next one does so before the server knows.
func TestAtOnceOfThoseWhoWait(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*vendortest.Server){
		"HTTP/2":   func(*vendortest.Server) {},
		"HTTP/1.1": (*vendortest.Server).OnlyHTTP1,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			busy := make(chan struct{})
			server, client := startedWith(t, vendortest.API{Settle: lasting, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/busy" {
					<-busy
				}
				_, _ = io.WriteString(w, healthyAnswer)
			})})
			t.Cleanup(func() { close(busy) })
			prepare(server)
			for range 3 {
				leaveBehind(t, server, client, 2)
				if status, _, err := get(t.Context(), t, server, client, "/next"); err != nil || status != http.StatusOK {
					t.Errorf("GET = %d, %v", status, err)
				}
			}
			if got := server.Violations(); len(got) > 0 || server.MostAtOnce() != 2 {
				t.Errorf("the violations are %q, most at once %d; want none, and 2", got, server.MostAtOnce())
			}
		})
	}
}

// leaveBehind sends n requests at once, and leaves when all have come.
func leaveBehind(t *testing.T, server *vendortest.Server, client *http.Client, n int) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	before := server.Count("busy")
	var together sync.WaitGroup
	for range n {
		together.Go(func() {
			if status, _, err := get(ctx, t, server, client, "/busy"); err == nil {
				t.Errorf("GET = %d, though nothing answers", status)
			}
		})
	}
	if err := server.Await(t.Context(), func() bool { return server.Count("busy") == before+n }); err != nil {
		t.Fatal(err)
	}
	leave()
	together.Wait()
}

// TestAtOnceNoticedLater: that a client has left is noticed after its next request has come.
func TestAtOnceNoticedLater(t *testing.T) {
	t.Parallel()
	server, _ := startedWith(t, vendortest.API{Settle: lasting})
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Times: 2})
	var together sync.WaitGroup
	ask := func(ctx context.Context) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/a", nil)
		request.Header.Set("User-Agent", "test")
		together.Go(func() { server.ServeHTTP(answer, request) })
		return answer
	}
	waiting, leave := context.WithCancel(t.Context())
	ask(waiting)
	ask(waiting)
	if err := server.Await(t.Context(), func() bool { return server.InFlight() == 2 }); err != nil {
		t.Fatal(err)
	}
	next := ask(t.Context())
	if err := server.Await(t.Context(), func() bool { return server.Count() == 3 }); err != nil {
		t.Fatal(err)
	}
	leave()
	together.Wait()
	if next.Code != http.StatusOK || next.Body.String() != healthyAnswer {
		t.Errorf("the next request: %d %s", next.Code, next.Body)
	}
	if got := server.Violations(); len(got) > 0 || server.MostAtOnce() != 2 {
		t.Errorf("the violations are %q, most at once %d; want none, and 2", got, server.MostAtOnce())
	}
}

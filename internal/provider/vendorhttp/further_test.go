package vendorhttp_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"

	"step-posture-connector/internal/provider/vendorhttp"
)

// TestFurther: another request of a lookup comes before the first requests of others.
func TestFurther(t *testing.T) {
	t.Parallel()
	var (
		mu    sync.Mutex
		order []string
	)
	begun, until := make(chan struct{}, 4), make(chan struct{})
	c := exchanging(t, vendorhttp.Options{Auth: vendorhttp.NoAuth{}, AtOnce: 1}, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		order = append(order, r.URL.Path)
		mu.Unlock()
		begun <- struct{}{}
		<-until
	})
	var all sync.WaitGroup
	send := func(ctx context.Context, path string) {
		all.Go(func() {
			if _, err := c.Ask(ctx, vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: path}); err != nil {
				t.Errorf("Ask(%s) = %v", path, err)
			}
		})
	}
	send(t.Context(), "/1")
	<-begun
	send(t.Context(), "/3")
	c.AwaitLookups(1)
	send(t.Context(), "/4")
	c.AwaitLookups(2)
	send(vendorhttp.Further(t.Context()), "/2")
	c.AwaitLookups(3)
	close(until)
	all.Wait()
	if want := []string{"/base/path/1", "/base/path/2", "/base/path/3", "/base/path/4"}; !slices.Equal(order, want) {
		t.Errorf("the requests came as %q, want %q", order, want)
	}
}

package vendorhttp_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/provider/vendorhttp"
)

// TestLockout: after a 429 no request is sent, whatever its Retry-After says, and none of those that wait for their turn already.
func TestLockout(t *testing.T) {
	t.Parallel()
	for _, retryAfter := range []string{"", "0", "1", "86400"} {
		t.Run("Retry-After "+retryAfter, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			begun := make(chan struct{})
			c := exchanging(t, vendorhttp.Options{AtOnce: 1, Lockout: time.Hour}, func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) == 1 {
					<-begun
				}
				if retryAfter != "" {
					w.Header().Set("Retry-After", retryAfter)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			})
			// Without a deadline: a lock-out is not waited for.
			var together sync.WaitGroup
			for range 10 {
				together.Go(func() {
					if _, err := c.Ask(t.Context(), vendorhttp.Request{Endpoint: "devices", Method: http.MethodGet, Path: "/"}); err == nil {
						t.Error("a 429 is no fault")
					}
				})
			}
			close(begun)
			together.Wait()
			if got := asked.Load(); got != 1 {
				t.Errorf("the server was asked %d times, want once", got)
			}
		})
	}
}

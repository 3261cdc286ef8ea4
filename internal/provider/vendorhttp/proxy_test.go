package vendorhttp_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHangingProxy: a proxy that does not answer CONNECT, as when it does not reach the server, uses up
// nothing that the lookups after the outage need.
func TestHangingProxy(t *testing.T) {
	t.Parallel()
	const crowd = 7 // more than there are places
	server := started(t, computers(crowd)...)
	var works atomic.Bool
	through := tunnel(strings.TrimPrefix(server.URL(), "https://"))
	address := accepting(t, func(conn net.Conn) {
		if !works.Load() {
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		through(conn)
	})
	provider := opened(server.options(t))
	provider.UseProxy(&url.URL{Scheme: "http", Host: address})
	for range 8 { // each round asks for a token once
		var together sync.WaitGroup
		for i := range crowd {
			q := query(t, numbered(i))
			together.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				if device, err := provider.Lookup(ctx, q); err == nil {
					t.Errorf("Lookup = %+v through a proxy that hangs", device)
				}
			})
		}
		together.Wait()
	}
	works.Store(true)
	begin := time.Now()
	if device, err := lookup(t, provider, numbered(0), whole); err != nil || device.Identifier != numbered(0) {
		t.Errorf("the first lookup after the outage = %+v, %v, want the device", device, err)
	}
	t.Logf("the first lookup was over %v after the proxy worked again", time.Since(begin).Round(time.Millisecond))
}

package vendorhttp_test

import (
	"context"
	"testing"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// noneOpen waits until the server has no connection.
func noneOpen(t *testing.T, server *acmeServer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := server.Await(ctx, func() bool { return server.Open() == 0 }); err != nil {
		t.Errorf("%d connections are open: %v", server.Open(), err)
	}
}

// TestClose: a client that is closed keeps no connection, neither one that is idle nor one of a request that is under way,
// which is still answered; nor that of a lookup that comes later.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*acmeServer){"HTTP/2": func(*acmeServer) {}, "HTTP/1.1": func(s *acmeServer) { s.OnlyHTTP1() }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, computers(3)...)
			prepare(server)
			provider := opened(server.options(t))
			lookups(t, provider, 3)
			if server.Open() == 0 {
				t.Error("no connection is kept for the next lookup, so this test shows nothing")
			}
			provider.Close()
			noneOpen(t, server)

			gate := make(chan struct{})
			server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate}, "devices")
			again := opened(server.options(t))
			answered := make(chan error, 1)
			go func() {
				_, err := lookup(t, again, numbered(0), ample)
				answered <- err
			}()
			ctx, cancel := context.WithTimeout(t.Context(), ample)
			defer cancel()
			if err := server.Await(ctx, func() bool { return server.InFlight("devices") > 0 }); err != nil {
				t.Fatal(err)
			}
			again.Close()
			close(gate)
			if err := <-answered; err != nil {
				t.Errorf("the lookup that was under way: %v", err)
			}
			noneOpen(t, server)

			finds(t, again, numbered(1))
			noneOpen(t, server)
		})
	}
}

package store_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"step-posture-connector/internal/store"
)

// TestHandshake: a server with an old TLS is none that closes the connection, which would be tried again for ever without a reason.
func TestHandshake(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 8) // SSLRequest, https://www.postgresql.org/docs/current/protocol-message-formats.html
			if _, err := io.ReadFull(conn, request); err == nil {
				_, _ = conn.Write([]byte("S"))
				_ = tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake() //nolint:gosec // G402: an old server
			}
			_ = conn.Close()
		}
	}()
	d, err := store.OpenDaemon(t.Context(), parse(t, "postgres://u@"+listener.Addr().String()+"/posture?sslmode=verify-full"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "it must have TLS 1.2 or 1.3") {
		t.Errorf("Ready = %v", err)
	}
}

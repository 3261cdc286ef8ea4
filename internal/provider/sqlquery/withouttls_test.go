package sqlquery_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider/sqlquery"
)

// TestServerWithoutTLS: the first thing that goes wrong with a new database has a message of its own.
func TestServerWithoutTLS(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens until the test ends
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
			// PostgreSQL's answer to SSLRequest.
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = conn.Write([]byte("N"))
			_ = conn.Close()
		}
	}()
	p := open(t, sqlquery.Config{
		Driver: "postgres", DSN: config.NewSecret([]byte("postgres://reader:secret@" + listener.Addr().String() + "/inventory")),
		ListQuery: "SELECT serial AS device_identifier FROM devices", Timeout: 10,
	})
	if _, _, err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "it does not offer TLS, which the address asks for") {
		t.Errorf("Check = %v", err)
	}
}

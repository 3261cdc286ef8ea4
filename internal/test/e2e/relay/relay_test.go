package relay_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"step-posture-connector/internal/test/e2e/relay"
)

// echo answers each line, and says goodbye at the end of the stream.
func echo(t *testing.T) relay.Dial {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
				_, _ = io.WriteString(c, "goodbye\n")
			}()
		}
	}()
	return func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
	}
}

func start(t *testing.T, dial relay.Dial) (*relay.Relay, func() *net.TCPConn) {
	t.Helper()
	r, err := relay.Start(t.Context(), "127.0.0.1:0", dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, func() *net.TCPConn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c.(*net.TCPConn)
	}
}

// The end of what a client sends is passed on, and the answer still arrives.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	_, connect := start(t, echo(t))
	c := connect()
	_, _ = io.WriteString(c, "hello\n")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(c); err != nil || string(text) != "hello\ngoodbye\n" {
		t.Errorf("got %q (%v)", text, err)
	}
}

// After Cut a client must connect again, and can.
func TestCut(t *testing.T) {
	t.Parallel()
	r, connect := start(t, echo(t))
	for range 2 {
		c := connect()
		_, _ = io.WriteString(c, "hello\n")
		lines := bufio.NewReader(c)
		if line, err := lines.ReadString('\n'); err != nil || line != "hello\n" {
			t.Fatalf("got %q (%v)", line, err)
		}
		if n := r.Cut(); n != 1 {
			t.Errorf("cut %d connections, want 1", n)
		}
		if line, err := lines.ReadString('\n'); err == nil {
			t.Errorf("after Cut the connection still answers: %q", line)
		}
	}
}

func TestServerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	_, connect := start(t, func(context.Context) (net.Conn, error) { return nil, errors.New("refused") })
	if _, err := io.ReadAll(connect()); err != nil {
		t.Errorf("got %v, want a closed connection", err)
	}
}

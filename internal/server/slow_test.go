package server

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// frame is an HTTP/2 frame (RFC 9113 section 4.1).
func frame(kind, flags byte, stream byte, payload string) string {
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, stream}) + payload
}

// The frames that the tests send, and their flags.
const (
	preface       = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings      = preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // an empty SETTINGS frame
	frameHeaders  = 1
	frameSettings = 4
	frameGoAway   = 7
	frameWindow   = 8
	endStream     = 1
	endHeaders    = 4
)

// header is a header block without compression (RFC 7541 section 6.2.2).
func header(pairs ...string) string {
	var block strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		block.WriteString("\x00" + string(rune(len(pairs[i]))) + pairs[i] + string(rune(len(pairs[i+1]))) + pairs[i+1])
	}
	return block.String()
}

func request(method, path string) string {
	return header(":method", method, ":scheme", "https", ":authority", "x", ":path", path)
}

// unfinished are the ways in which clients begin something and do not finish it.
func unfinished() map[string]func(*testing.T, *testServer) net.Conn {
	const whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	return map[string]func(*testing.T, *testServer) net.Conn{
		"nothing":                       plain(""),
		"half a handshake":              plain("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		"not TLS":                       plain(whole),
		"handshake only":                encrypted("http/1.1", ""),
		"half a request line":           encrypted("http/1.1", "GET / HT"),
		"half a header":                 encrypted("http/1.1", "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "),
		"half a header after a request": encrypted("http/1.1", whole+"GET / HTTP/1.1\r\nHost: x\r\n"),
		"idle":                          encrypted("http/1.1", whole),
		"body that is not read":         encrypted("http/1.1", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"),
		"chunks that are not read":      encrypted("http/1.1", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
		"body":                          encrypted("http/1.1", "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"),
		"half-closed header":            halfClosed("GET / HT"),
		"half-closed body":              halfClosed("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"),

		"HTTP/2 settings only":          encrypted("h2", settings),
		"HTTP/2 frame":                  encrypted("h2", settings+"\x00\x00"),
		"HTTP/2 header":                 encrypted("h2", settings+frame(frameHeaders, endStream, 1, request("GET", "/"))),
		"HTTP/2 body that is not read":  encrypted("h2", settings+frame(frameHeaders, endHeaders, 1, request("POST", "/"))),
		"HTTP/2 body":                   encrypted("h2", settings+frame(frameHeaders, endHeaders, 1, request("POST", "/read"))),
		"HTTP/2 idle":                   encrypted("h2", settings+frame(frameHeaders, endHeaders|endStream, 1, request("GET", "/"))),
		"HTTP/2 PINGs":                  pinging,
		"HTTP/2 header after a request": encrypted("h2", settings+frame(frameHeaders, endHeaders|endStream, 1, request("GET", "/"))+frame(frameHeaders, endStream, 3, request("GET", "/"))),
	}
}

func plain(text string) func(*testing.T, *testServer) net.Conn {
	return func(t *testing.T, s *testServer) net.Conn {
		t.Helper()
		c := s.dialRaw(t)
		send(t, c, text)
		return c
	}
}

func encrypted(protocol, text string) func(*testing.T, *testServer) net.Conn {
	return func(t *testing.T, s *testServer) net.Conn {
		t.Helper()
		c := s.dial(t, protocol)
		send(t, c, text)
		return c
	}
}

// pinging sends frames that are not requests until the connection is closed.
func pinging(t *testing.T, s *testServer) net.Conn {
	t.Helper()
	const framePing = 6
	c := s.dial(t, "h2")
	send(t, c, settings)
	go func() {
		for {
			if _, err := io.WriteString(c, frame(framePing, 0, 0, "12345678")); err != nil {
				return
			}
			time.Sleep(brief / 20)
		}
	}()
	return c
}

// halfClosed sends text, and then closes its side of the connection.
func halfClosed(text string) func(*testing.T, *testServer) net.Conn {
	return func(t *testing.T, s *testServer) net.Conn {
		t.Helper()
		c := s.dial(t, "http/1.1")
		send(t, c, text)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// The connection of a client that does not finish what it began is closed, and leaves nothing behind. Honest requests
// are answered meanwhile. (Not parallel: it counts goroutines.)
func TestUnfinishedIsClosed(t *testing.T) {
	before := runtime.NumGoroutine()
	s := startServer(t, reading(), withBriefLimits)
	open := map[string]net.Conn{}
	for name, begin := range unfinished() {
		open[name] = begin(t, s)
	}
	s.wantAnswered(t, "http/1.1")
	s.wantAnswered(t, "h2")
	deadline := time.Now().Add(patience)
	for name, c := range open {
		t.Run(name, func(t *testing.T) { wantClosed(t, c, deadline) })
	}
	if t.Failed() {
		return
	}
	eventually(t, "no connection is left", func() bool { return s.listener.open.Load() == 0 })
	s.stop(t)
	eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

// reading answers; for /read it reads the body first, on HTTP/1.1 with a time limit as the webhook sets it. On HTTP/2
// the server's limit is the only one.
func reading() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			if r.ProtoMajor == 1 {
				if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(brief)); err != nil {
					panic(err)
				}
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Connection", "close")
		}
		_, _ = io.WriteString(w, "answer")
	})
}

// A client that has closed its side of the connection still gets its answer.
func TestHalfClosedIsAnswered(t *testing.T) {
	t.Parallel()
	s := startServer(t, answering())
	c := halfClosed("GET / HTTP/1.1\r\nHost: x\r\n\r\n")(t, s)
	text, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(string(text), "answer") {
		t.Errorf("got %q (%v), want 200 answer", text, err)
	}
}

// A client that never reads its answer holds neither the handler nor the connection.
func TestUnreadAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	const most = "\x7f\xff\xff\xff"
	for protocol, text := range map[string]string{
		"http/1.1": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		// The client opens the largest window of HTTP/2, so that only TCP stops the server.
		"h2": preface + frame(frameSettings, 0, 0, "\x00\x04"+most) + frame(frameWindow, 0, 0, "\x7f\xfe\xff\xff") +
			frame(frameHeaders, endHeaders|endStream, 1, request("GET", "/")),
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			arrived, left := make(chan struct{}), make(chan struct{})
			s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				defer close(left)
				for chunk := make([]byte, 1<<16); ; {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			}), func(s *Server) {
				// Not those for reading: on a busy machine a client may take longer to send its request.
				s.http.WriteTimeout = min(s.http.WriteTimeout, brief)
				s.http.HTTP2.WriteByteTimeout = min(s.http.HTTP2.WriteByteTimeout, brief)
			})
			send(t, s.dial(t, protocol), text)
			wait(t, "the request arrives", arrived)
			wait(t, "the handler stops writing", left)
			eventually(t, "the connection is closed", func() bool { return s.listener.open.Load() == 0 })
		})
	}
}

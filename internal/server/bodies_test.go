package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// keeping reads the whole body into memory, then answers.
func keeping() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var all bytes.Buffer
		if _, err := all.ReadFrom(r.Body); err != nil {
			return
		}
		Trust(r.Context())
		_, _ = io.WriteString(w, "answer")
	})
}

// heap is how much memory is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what is in a sync.Pool survives the first
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc + memory.StackInuse
}

// Unauthenticated clients have many connections, with many bodies each that never end: the memory for all of them is
// limited, and step-ca is answered. (Not parallel: it measures memory.)
func TestUnfinishedBodiesAreBounded(t *testing.T) {
	const (
		connections, streams, most = 64, 8, 1 << 20
		sent                       = 3 * maxFrame // of each body
	)
	s := startServer(t, keeping(), func(s *Server) { s.limiter.bodies.most = most })
	before := heap()
	part := frame(0, 0, 1, string(make([]byte, maxFrame)))
	for range connections {
		c := s.dial(t, "h2")
		text := settings
		for i := range byte(streams) {
			stream := 2*i + 1
			text += frame(frameHeaders, endHeaders, stream, request("POST", "/slow"))
			for range sent / maxFrame {
				text += part[:8] + string([]byte{stream}) + part[9:]
			}
		}
		_, _ = io.WriteString(c, text) // it may be closed by now
	}
	time.Sleep(brief / 4) // the server reads what was sent
	for range 4 {
		if err := s.post(t.Context(), "h2", "/", bytes.NewReader(make([]byte, 3<<10))); err != nil {
			t.Errorf("an honest request: %v", err)
		}
	}
	// The cost of a connection itself, on both sides, and the bodies counted twice.
	const want = 2*most + connections*(128<<10)
	if got := heap() - min(before, heap()); got > want {
		t.Errorf("%d MiB are held of %d MiB that were sent, want at most %d MiB", got>>20, connections*streams*sent>>20, want>>20)
	}
	s.stop(t)
}

// A header of many empty fields holds much more memory than was sent, whether it is complete (the request's body never
// comes) or not; so do frames whose answers are not read. (Not parallel: it measures memory.)
func TestHeadersAreBounded(t *testing.T) {
	const connections, most, fields = 64, 1 << 20, 1800
	var plain, packed, long strings.Builder
	for i := range 12_000 {
		fmt.Fprintf(&long, "%x:\n", i)
	}
	for i := range fields {
		name := fmt.Sprintf("%03x", i)
		plain.WriteString(name + ":\n")
		packed.WriteString("\x00\x03" + name + "\x00")
	}
	const line = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
	for name, text := range map[string]string{
		"http/1.1, header": line + long.String(),
		"http/1.1, body":   line + plain.String() + "\r\n",
		"h2, pings":        settings + frame(frameHeaders, endHeaders, 1, request("POST", "/")) + strings.Repeat(frame(6, 0, 0, "12345678"), 9_000),
		"h2, body":         settings + frame(frameHeaders, endHeaders, 1, request("POST", "/")+packed.String()),
	} {
		t.Run(name, func(t *testing.T) {
			protocol, _, _ := strings.Cut(name, ",")
			s := startServer(t, keeping(), func(s *Server) { s.limiter.bodies.most = most })
			before := heap()
			for range connections {
				_, _ = io.WriteString(s.dial(t, protocol), text) // it may be closed by now
			}
			time.Sleep(brief / 4) // the server reads what was sent
			for range 4 {
				if err := s.post(t.Context(), protocol, "/", bytes.NewReader(make([]byte, 3<<10))); err != nil {
					t.Errorf("an honest request: %v", err)
				}
			}
			const want = 2*most + connections*(64<<10)
			got := heap()
			// Go keeps a closed HTTP/2 connection in memory until the read timeout of its last request. The test does
			// not wait in the other cases: their own time limits would close the connections.
			for deadline := time.Now().Add(patience); name == "h2, pings" && got > before+want && time.Now().Before(deadline); {
				time.Sleep(brief / 4)
				got = heap()
			}
			if got > before+want {
				t.Errorf("%d KiB are held of %d connections, want at most %d KiB", (got-before)>>10, connections, want>>10)
			}
			s.stop(t)
		})
	}
}

// The announcement of a large frame allocates nothing for it. (Not parallel: it measures memory.)
func TestAnnouncedFramesHoldNothing(t *testing.T) {
	const connections = 64
	s := startServer(t, answering())
	before := heap()
	for range connections {
		send(t, s.dial(t, "h2"), settings+string([]byte{0x0f, 0xff, 0xff, 0, 0, 0, 0, 0, 1}))
	}
	s.wantAnswered(t, "h2")
	const want = connections * (256 << 10)
	if got := heap() - before; got > want {
		t.Errorf("%d MiB are held, want at most %d MiB", got>>20, want>>20)
	}
}

// More requests at once than one connection allows: Go's client opens others, and all are answered.
func TestManyRequestsOfOneClient(t *testing.T) {
	t.Parallel()
	s := startServer(t, keeping(), withLimit(1000))
	client, done := s.keepAlive("h2")
	defer done()
	var all sync.WaitGroup
	for range 8 * maxStreams {
		all.Go(func() {
			if err := s.doWith(t.Context(), client, http.MethodPost, "/", bytes.NewReader(make([]byte, 3<<10))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

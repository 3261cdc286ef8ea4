package doors

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Status answers with a status and a body. An empty type sends no Content-Type.
func Status(status int, contentType, body string) Answer {
	return func(response http.ResponseWriter, _ Question) {
		// Go guesses the type where the header has no value.
		response.Header()["Content-Type"] = nil
		if contentType != "" {
			response.Header().Set("Content-Type", contentType)
		}
		response.WriteHeader(status)
		_, _ = response.Write([]byte(body))
	}
}

// JSON answers with a status and a body that is JSON.
func JSON(status int, body string) Answer { return Status(status, "application/json", body) }

// Headers answers with a status, headers and a body that is JSON, as the connector answers a web server.
func Headers(status int, headers map[string]string, body string) Answer {
	return func(response http.ResponseWriter, question Question) {
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			response.Header().Set(name, headers[name])
		}
		JSON(status, body)(response, question)
	}
}

// Slow waits before an answer. A caller that does not wait so long, and Down, end it.
func Slow(wait time.Duration, answer Answer) Answer {
	return func(response http.ResponseWriter, question Question) {
		if w, ok := response.(waits); ok {
			select {
			case <-w.ctx.Done():
				return
			case <-time.After(wait):
			}
		}
		answer(response, question)
	}
}

// Trickle sends a status, and then a byte of the body from time to time, without an end.
func Trickle(status int, headers map[string]string, pause time.Duration) Answer {
	return func(response http.ResponseWriter, _ Question) {
		for name, value := range headers {
			response.Header().Set(name, value)
		}
		response.WriteHeader(status)
		w, ok := response.(waits)
		for ok {
			if _, err := response.Write([]byte(" ")); err != nil {
				return
			}
			if err := http.NewResponseController(response).Flush(); err != nil {
				return
			}
			select {
			case <-w.ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}
}

// Endless sends a header from time to time, without an end.
func Endless(pause time.Duration) Answer {
	return func(response http.ResponseWriter, _ Question) {
		conn, _, err := http.NewResponseController(response).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\nX-Device-Id: 1\r\n"))
		w, ok := response.(waits)
		for ok && err == nil {
			select {
			case <-w.stopped:
				return
			case <-time.After(pause):
			}
			_, err = conn.Write([]byte("X: 1\r\n"))
		}
	}
}

// Garbage sends a text that is no HTTP, and ends the connection.
func Garbage(text string) Answer {
	return func(response http.ResponseWriter, _ Question) {
		conn, _, err := http.NewResponseController(response).Hijack()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}
}

// Drop ends the connection without an answer.
func Drop(http.ResponseWriter, Question) { panic(http.ErrAbortHandler) }

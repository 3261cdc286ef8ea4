package machine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// readTimeout bounds how long a client of the web server may take to send its request.
const readTimeout = 10 * time.Second

// Web is the web server of every name of a name service. It answers http-01 challenges.
type Web struct {
	server *http.Server
	port   int
	done   chan error

	mu        sync.Mutex
	responses map[string]string // by path
}

// StartWeb starts a web server, which runs until Close.
func StartWeb(ctx context.Context) (*Web, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start web server: %w", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the web server has the address %s", listener.Addr()), listener.Close())
	}
	w := &Web{port: address.Port, done: make(chan error, 1), responses: map[string]string{}}
	w.server = &http.Server{Handler: http.HandlerFunc(w.respond), ReadHeaderTimeout: readTimeout}
	go func() { w.done <- w.server.Serve(listener) }()
	return w, nil
}

// Port is for step-ca's flag --acme-http-port: it stands for port 80, which needs privileges.
func (w *Web) Port() int { return w.port }

// Close stops the web server.
func (w *Web) Close() error {
	err := w.server.Close()
	if served := <-w.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// SetResponse sets the response to requests for a path.
func (w *Web) SetResponse(path, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.responses[path] = text
}

func (w *Web) respond(response http.ResponseWriter, request *http.Request) {
	w.mu.Lock()
	text, found := w.responses[request.URL.Path]
	w.mu.Unlock()
	if !found {
		http.NotFound(response, request)
		return
	}
	_, _ = response.Write([]byte(text))
}

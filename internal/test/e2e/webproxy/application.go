package webproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// readTimeout bounds how long a request to the application may take.
	readTimeout = 10 * time.Second
	maxBody     = 1 << 20
)

// Page is what the application answers.
const Page = "the application's page"

// Application is what a server protects. It keeps the requests that reach it.
type Application struct {
	server  *http.Server
	address string
	done    chan error

	mu       sync.Mutex
	requests []Request
}

// Request is a request that reached the application.
type Request struct {
	Method string
	URI    string // path and query
	Host   string
	Header http.Header
	Body   string
}

// StartApplication starts an application, which runs until Stop.
func StartApplication(ctx context.Context) (*Application, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the application: %w", err)
	}
	a := &Application{address: listener.Addr().String(), done: make(chan error, 1)}
	a.server = &http.Server{Handler: http.HandlerFunc(a.respond), ReadHeaderTimeout: readTimeout}
	go func() { a.done <- a.server.Serve(listener) }()
	return a, nil
}

// Stop stops the application.
func (a *Application) Stop() error {
	err := a.server.Close()
	if served := <-a.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Address is the host and the port of the application.
func (a *Application) Address() string { return a.address }

// Requests returns the requests that reached the application since the last call.
func (a *Application) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	requests := a.requests
	a.requests = nil
	return requests
}

func (a *Application) respond(response http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil {
		return
	}
	a.mu.Lock()
	a.requests = append(a.requests, Request{request.Method, request.RequestURI, request.Host, request.Header.Clone(), string(body)})
	a.mu.Unlock()
	if request.URL.Path == "/forbidden" {
		response.WriteHeader(http.StatusForbidden)
	}
	_, _ = response.Write([]byte(Page))
}

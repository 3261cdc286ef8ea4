package doors

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"step-posture-connector/internal/test/e2e/process"
)

const (
	readTimeout = 10 * time.Second
	maxBody     = 1 << 20
)

// Question is a request that a stub was sent.
type Question struct {
	Method string
	URI    string // path and query
	Header http.Header
	Body   []byte
	Caller string // the common name in the caller's certificate
	From   string // the caller's address, which is another one for each connection
}

// Answer answers a question.
type Answer func(response http.ResponseWriter, question Question)

// Stub is a server in place of the connector: it listens with TLS, wants a client certificate, and answers as it is told.
type Stub struct {
	port   int
	client *x509.CertPool

	mu        sync.Mutex
	answer    Answer
	questions []Question
	server    *http.Server
	done      chan error
	waiting   context.CancelFunc // ends answers that wait
	delay     time.Duration      // of each handshake
}

// StartStub starts a stub that presents a certificate, and wants one that ca has issued. It runs until Down.
func StartStub(ctx context.Context, certificate Credential, ca CA) (*Stub, error) {
	s := &Stub{client: x509.NewCertPool()}
	s.client.AddCert(ca.Certificate)
	err := process.RetryPort(ctx, func(ctx context.Context, port int) error {
		s.port = port
		if err := s.Up(ctx, certificate); err != nil {
			return process.ErrAddressInUse
		}
		return nil
	})
	return s, err
}

// Up starts the stub after Down, at the same port.
func (s *Stub) Up(ctx context.Context, certificate Credential) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.Address())
	if err != nil {
		return fmt.Errorf("start the stub: %w", err)
	}
	listener = tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate.TLS},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.client,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s.mu.Lock()
			delay := s.delay
			s.mu.Unlock()
			time.Sleep(delay)
			return nil, nil
		},
	})
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.respond(w, r, base.Done()) }),
		ReadHeaderTimeout: readTimeout,
		BaseContext:       func(net.Listener) context.Context { return base },
		// Handshakes fail on purpose.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server, s.done, s.waiting = server, done, cancel
	return nil
}

// Down stops the stub and ends all connections to it.
func (s *Stub) Down() error {
	s.mu.Lock()
	server, done, cancel := s.server, s.done, s.waiting
	s.server = nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	cancel()
	err := server.Close()
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Port is where the stub listens.
func (s *Stub) Port() int { return s.port }

// Address is the host and the port of the stub.
func (s *Stub) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Answer sets the answer to all questions, and forgets those before.
func (s *Stub) Answer(answer Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.questions = answer, nil
}

// Delay makes each handshake last longer.
func (s *Stub) Delay(delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
}

// Questions returns what the stub was asked since Answer.
func (s *Stub) Questions() []Question {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Question{}, s.questions...)
}

func (s *Stub) respond(response http.ResponseWriter, request *http.Request, stopped <-chan struct{}) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err != nil {
		return
	}
	question := Question{
		Method: request.Method, URI: request.RequestURI, Header: request.Header.Clone(), Body: bytes.Clone(body),
		Caller: request.TLS.PeerCertificates[0].Subject.CommonName, From: request.RemoteAddr,
	}
	s.mu.Lock()
	answer := s.answer
	s.questions = append(s.questions, question)
	s.mu.Unlock()
	answer(waits{response, request.Context(), stopped}, question)
}

// waits is a response whose answer may have to wait.
type waits struct {
	http.ResponseWriter
	ctx     context.Context // ends with the connection too
	stopped <-chan struct{} // closed when the stub stops
}

// Unwrap is for http.ResponseController.
func (w waits) Unwrap() http.ResponseWriter { return w.ResponseWriter }

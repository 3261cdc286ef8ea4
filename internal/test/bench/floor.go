package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"step-posture-connector/internal/server"
)

// floorDevice is the device in every answer of the floor.
const floorDevice device = 0

// mutualArgument makes the floor ask for a client certificate.
const mutualArgument = "mutual"

const (
	floorHeaderTimeout = 10 * time.Second
	floorMaxBody       = 64 << 10
)

// serveFloor is the least that any server of this protocol in Go has to do. It has the daemon's TLS
// configuration, and nothing else of it. Arguments: the address, the folder with key and secret, and
// "mutual" where clients need a certificate.
func serveFloor(ctx context.Context, args []string) error {
	if len(args) < 2 || len(args) > 3 || len(args) == 3 && args[2] != mutualArgument {
		return errors.New("floor: want an address, a folder and maybe " + mutualArgument)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	return floorOn(ctx, listener, folder(args[1]), len(args) == 3, constant([]byte(allowing(floorDevice.data()))))
}

// answerer says what the floor answers to a body, which it must not keep.
type answerer func(ctx context.Context, body []byte) ([]byte, error)

func constant(answer []byte) answerer {
	return func(context.Context, []byte) ([]byte, error) { return answer, nil }
}

// floorOn serves until ctx is done.
func floorOn(ctx context.Context, listener net.Listener, files folder, mutual bool, answer answerer) error {
	secret, err := os.ReadFile(files.secret())
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	paths := server.Files{Certificate: files.certificate(), PrivateKey: files.key()}
	if mutual {
		paths.ClientCA = files.clientCA()
	}
	identity := server.NewTLS(paths, []string{clientName})
	take, err := identity.Load(time.Now())
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	take()
	s := &http.Server{
		Handler:           floorHandler(secret, answer),
		TLSConfig:         identity.Config(),
		ReadHeaderTimeout: floorHeaderTimeout,
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("floor: %w", err)
	}
	return nil
}

// scratch is what the floor needs for one request, and uses again for the next.
type scratch struct {
	mac    hash.Hash
	sum    [sha256.Size]byte
	body   []byte
	answer []byte
	length []string // Content-Length of answer
}

// errUnauthenticated says that a request is not signed as it must be.
var errUnauthenticated = errors.New("not authenticated")

// floorHandler verifies the signature and answers. It makes no garbage of its own.
func floorHandler(secret []byte, answer answerer) http.Handler {
	used := sync.Pool{New: func() any { return &scratch{mac: hmac.New(sha256.New, secret)} }}
	contentType := []string{"application/json"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := used.Get().(*scratch)
		defer used.Put(s)
		if err := s.receive(r); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		text, err := answer(r.Context(), s.body)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if len(s.answer) != len(text) {
			s.length = []string{strconv.Itoa(len(text))}
		}
		s.answer = text
		header := w.Header()
		header["Content-Type"], header["Content-Length"] = contentType, s.length
		_, _ = w.Write(text)
	})
}

// receive reads the body and verifies its signature.
func (s *scratch) receive(r *http.Request) error {
	length := int(r.ContentLength)
	if length < 0 || length > floorMaxBody {
		return errUnauthenticated
	}
	if cap(s.body) < length {
		s.body = make([]byte, length)
	}
	s.body = s.body[:length]
	if _, err := io.ReadFull(r.Body, s.body); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	var signature [sha256.Size]byte
	text := r.Header["X-Smallstep-Signature"]
	if len(text) != 1 || len(text[0]) != hex.EncodedLen(len(signature)) {
		return errUnauthenticated
	}
	if _, err := hex.Decode(signature[:], []byte(text[0])); err != nil {
		return errUnauthenticated
	}
	s.mac.Reset()
	s.mac.Write(s.body)
	if !hmac.Equal(s.mac.Sum(s.sum[:0]), signature[:]) {
		return errUnauthenticated
	}
	return nil
}

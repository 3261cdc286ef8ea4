package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"step-posture-connector/internal/server"
)

// floorDevice is the device about which the floor always answers.
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

// answerer says what the floor answers to a body.
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

// floorHandler does not refuse a wrong signature, but its answer depends on it, so that the work is done.
func floorHandler(secret []byte, answer answerer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, floorMaxBody))
		if err != nil || hex.EncodeToString(sign(secret, body)) != r.Header.Get("X-Smallstep-Signature") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		text, err := answer(r.Context(), body)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	})
}

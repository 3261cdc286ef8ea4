package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"step-posture-connector/internal/server"
)

// floorDevice is the device about which the floor always answers.
const floorDevice device = 0

const (
	floorHeaderTimeout = 10 * time.Second
	floorMaxBody       = 64 << 10
)

// serveFloor is the least that any server of this protocol in Go has to do. It has the daemon's TLS
// configuration, and nothing else of it. Arguments: the address, and the folder with key and secret.
func serveFloor(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("floor: want an address and a folder")
	}
	address, files := args[0], folder(args[1])
	secret, err := os.ReadFile(files.secret()) //nolint:gosec // G703: the folder that the benchmark names
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	identity := server.NewTLS(server.Files{Certificate: files.certificate(), PrivateKey: files.key()}, nil)
	take, err := identity.Load(time.Now())
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	take()
	s := &http.Server{
		Addr:              address,
		Handler:           floorHandler(secret),
		TLSConfig:         identity.Config(),
		ReadHeaderTimeout: floorHeaderTimeout,
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.ListenAndServeTLS("", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("floor: %w", err)
	}
	return nil
}

// floorHandler does not refuse a wrong signature, but its answer depends on it, so that the work is done.
func floorHandler(secret []byte) http.Handler {
	answer := []byte(allowing(floorDevice.data()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, floorMaxBody))
		if err != nil || hex.EncodeToString(sign(secret, body)) != r.Header.Get("X-Smallstep-Signature") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
}

// folder is the temporary folder of a run.
type folder string

func (f folder) certificate() string { return filepath.Join(string(f), "certificate.pem") }

func (f folder) key() string { return filepath.Join(string(f), "key.pem") }

func (f folder) secret() string { return filepath.Join(string(f), "secret") }

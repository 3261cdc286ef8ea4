package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	fastjson "github.com/go-json-experiment/json"
	"step-posture-connector/internal/server"
)

// doorsArgument makes the floor answer as the doors of the connector do.
const doorsArgument = "doors"

// serveDoorsFloor is the least that any server must do at the doors: mutual TLS, read what is said of the certificate, and write
// the answer. At the RADIUS door that is JSON; of a web server it is PEM, whose signature is verified. Arguments: the address and
// the folder.
func serveDoorsFloor(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("doors floor: want an address and a folder")
	}
	files := folder(args[1])
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return fmt.Errorf("doors floor: %w", err)
	}
	issuer, err := readCertificate(files.deviceCA())
	if err != nil {
		return fmt.Errorf("doors floor: %w", err)
	}
	identity := server.NewTLS(server.Files{Certificate: files.certificate(), PrivateKey: files.key(), ClientCA: files.clientCA()}, []string{clientName})
	take, err := identity.Load(time.Now())
	if err != nil {
		return fmt.Errorf("doors floor: %w", err)
	}
	take()
	mux := http.NewServeMux()
	mux.Handle(radiusPath, floorRADIUS())
	mux.Handle(forwardAuthPath, floorForwardAuth(issuer))
	s := &http.Server{Handler: mux, TLSConfig: identity.Config(), ReadHeaderTimeout: floorHeaderTimeout}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("doors floor: %w", err)
	}
	return nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("read certificate: no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return cert, nil
}

// floorRADIUS decodes every attribute, as the connector has to: it must refuse doubled members.
func floorRADIUS() http.Handler {
	buffers := sync.Pool{New: func() any { return new([floorMaxBody]byte) }}
	text := []byte(radiusAnswer)
	contentType, length := []string{"application/json"}, []string{strconv.Itoa(len(text))}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buffer, _ := buffers.Get().(*[floorMaxBody]byte)
		defer buffers.Put(buffer)
		n, err := io.ReadFull(r.Body, buffer[:min(max(r.ContentLength, 0), floorMaxBody)])
		var attributes map[string]struct {
			Value []any `json:"value"`
		}
		if err != nil || fastjson.Unmarshal(buffer[:n], &attributes) != nil || len(attributes["TLS-Client-Cert-Common-Name"].Value) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		header := w.Header()
		header["Content-Type"], header["Content-Length"] = contentType, length
		_, _ = w.Write(text)
	})
}

// floorForwardAuth verifies the signature of the certificate in the header.
func floorForwardAuth(issuer *x509.Certificate) http.Handler {
	text := []byte(forwardAuthAnswer)
	contentType, length := []string{"application/json"}, []string{strconv.Itoa(len(text))}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cert, err := certificateIn(r.Header.Get(certificateHeader))
		if err != nil || cert.CheckSignatureFrom(issuer) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		header := w.Header()
		header["Content-Type"], header["Content-Length"] = contentType, length
		header["X-Device-Id"] = []string{cert.Subject.CommonName}
		header["X-Device-User"] = []string{"ada@example.com"}
		_, _ = w.Write(text)
	})
}

func certificateIn(header string) (*x509.Certificate, error) {
	text, err := url.PathUnescape(header)
	if err != nil {
		return nil, fmt.Errorf("unescape: %w", err)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	return cert, nil
}

// quoted is a text in JSON.
func quoted(text string) string {
	encoded, _ := json.Marshal(text) // a string always encodes
	return string(encoded)
}

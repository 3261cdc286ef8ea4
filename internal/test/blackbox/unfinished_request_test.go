//go:build unix

package blackbox_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"

	"step-posture-connector/internal/test/program"
)

const bareDevice = "K3Q7XH2N9P" // in testdata/devices.json, without data

// connect makes a connection: plain TCP for an empty protocol, else with a TLS handshake.
func connect(t *testing.T, p *program.PKI, address, protocol, text string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if protocol != "" {
		encrypted := tls.Client(c, &tls.Config{
			RootCAs: p.Roots, ServerName: "127.0.0.1", NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12,
		})
		if err := encrypted.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		c = encrypted
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// held is a request whose body the daemon is waiting for.
type held struct {
	body     []byte
	pipe     *io.PipeWriter
	answered chan string // status and body, or an error
}

// hold begins a request, and returns when the daemon waits for the body.
func hold(t *testing.T, p *program.PKI, address, protocol string) *held {
	t.Helper()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(protocol == "http/1.1")
	protocols.SetHTTP2(protocol == "h2")
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12},
		Protocols:       protocols, ExpectContinueTimeout: program.Patience,
	}
	t.Cleanup(transport.CloseIdleConnections)
	r, body := program.SignedRequest(t, address, bareDevice)
	reader, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	h := &held{body, writer, make(chan string, 1)}
	waiting := make(chan struct{})
	r.Body, r.GetBody = reader, nil
	r.Header.Set("Expect", "100-continue") // the daemon answers when it begins to read the body
	r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(waiting) }}))
	go func() {
		response, err := (&http.Client{Transport: transport, Timeout: program.Patience}).Do(r)
		if err != nil {
			h.answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			h.answered <- err.Error()
			return
		}
		h.answered <- fmt.Sprintf("%d %s", response.StatusCode, text)
	}()
	select {
	case <-waiting:
	case outcome := <-h.answered:
		t.Fatalf("the request ended early: %s", outcome)
	}
	return h
}

func (h *held) finish(t *testing.T) string {
	t.Helper()
	if _, err := h.pipe.Write(h.body); err != nil {
		t.Errorf("send the body: %v", err)
	}
	_ = h.pipe.Close()
	return <-h.answered
}

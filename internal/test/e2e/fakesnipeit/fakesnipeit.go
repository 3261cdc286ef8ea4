// Package fakesnipeit runs the simulated Snipe-IT server of the connector's own tests as a process, and changes its
// assets and its state while it runs.
package fakesnipeit

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"step-posture-connector/internal/test/e2e/process"
)

const (
	// timeout bounds how long the server may take until it answers, and each
	// exchange with its admin interface.
	timeout = 30 * time.Second
	// maxReport bounds a report, in bytes.
	maxReport = 1 << 20
)

// Asset is one record of the server. It is checked out to User, unless it is Unmanaged.
type Asset struct {
	Serial    string `json:"serial"`
	Name      string `json:"name"`
	Model     string `json:"model"`
	Unmanaged bool   `json:"unmanaged"`
	User      *User  `json:"user,omitempty"`
}

// User is the one to whom an asset is checked out.
type User struct {
	Username string `json:"username"`
	RealName string `json:"real_name"`
	Email    string `json:"email"`
	Position string `json:"position"`
}

// Report is what the server has seen.
type Report struct {
	// Violations are what no client may do.
	Violations []string `json:"violations"`
	// Counts are the numbers of requests to each endpoint.
	Counts map[string]int `json:"counts"`
	// RequestIDs are the X-Request-Id of each request, in their order; "" for none.
	RequestIDs []string `json:"request_ids"`
}

// Server is a simulated Snipe-IT server.
type Server struct {
	process    *process.Process
	token, ca  string
	url, admin string
	client     *http.Client
}

// Start runs the server and returns when it answers. It runs until Stop or the end of ctx.
func Start(ctx context.Context, binary, dir string, assets ...Asset) (*Server, error) {
	s := &Server{
		token: "snipeit-token-" + rand.Text(), ca: filepath.Join(dir, "snipeit-ca.crt"),
		client: &http.Client{Transport: &http.Transport{}, Timeout: timeout},
	}
	options := filepath.Join(dir, "options.json")
	data, err := json.Marshal(map[string]any{"token": s.token, "devices": assets})
	if err != nil {
		return nil, fmt.Errorf("encode the server's options: %w", err)
	}
	if err := os.WriteFile(options, data, 0o600); err != nil {
		return nil, fmt.Errorf("write the server's options: %w", err)
	}
	s.process, err = process.Start(ctx, process.Spec{Path: binary, Args: []string{"-ca", s.ca, "-options", options}, Dir: dir})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := s.process.Await(ctx, s.readAddresses); err != nil {
		return nil, errors.Join(err, s.process.Stop())
	}
	return s, nil
}

// readAddresses reads the two lines that the server prints when it listens.
func (s *Server) readAddresses(context.Context) error {
	match := regexp.MustCompile(`(?m)^snipeit (\S+)\nadmin (\S+)$`).FindStringSubmatch(s.process.Output())
	if match == nil {
		return errors.New("the simulated Snipe-IT server has not printed its addresses")
	}
	s.url, s.admin = match[1], match[2]
	return nil
}

// URL is where the server answers.
func (s *Server) URL() string { return s.url }

// Token is the API token, which must not appear anywhere.
func (s *Server) Token() string { return s.token }

// CA is the path of the CA that issued the server's certificate.
func (s *Server) CA() string { return s.ca }

// Down makes the server unreachable: every connection is reset.
func (s *Server) Down(ctx context.Context) error {
	_, err := s.call(ctx, http.MethodPost, "/down", nil)
	return err
}

// Up makes the server reachable again, at the same address.
func (s *Server) Up(ctx context.Context) error {
	_, err := s.call(ctx, http.MethodPost, "/up", nil)
	return err
}

// SetAssets replaces all records of the server.
func (s *Server) SetAssets(ctx context.Context, assets ...Asset) error {
	data, err := json.Marshal(assets)
	if err != nil {
		return fmt.Errorf("encode assets: %w", err)
	}
	_, err = s.call(ctx, http.MethodPut, "/devices", data)
	return err
}

// Report returns what the server has seen so far.
func (s *Server) Report(ctx context.Context) (Report, error) {
	var report Report
	data, err := s.call(ctx, http.MethodGet, "/report", nil)
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return report, fmt.Errorf("decode the server's report: %w", err)
	}
	return report, nil
}

// Stop stops the server.
func (s *Server) Stop() error {
	s.client.CloseIdleConnections()
	return s.process.Stop()
}

// call makes one request to the server's admin interface.
func (s *Server) call(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxReport))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
	}
	return data, nil
}

// Package fakevendor runs a simulated server of a vendor, of the connector's own tests, as a process, and changes its devices
// and its state while it runs.
package fakevendor

import (
	"bytes"
	"context"
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

// Report is what the server has seen.
type Report struct {
	// Violations are what no client of the vendor may do.
	Violations []string `json:"violations"`
	// Counts are the numbers of requests to each endpoint.
	Counts map[string]int `json:"counts"`
	// RequestIDs are the X-Request-Id of each request, in their order; "" for none.
	RequestIDs []string `json:"request_ids"`
}

// Config says what to run.
type Config struct {
	Binary string   // the program
	Args   []string // of a program that simulates several vendors: which one
	Vendor string   // how the program names it
	Dir    string   // an existing folder, with no files of another server of this vendor
	// Options become the JSON that the program reads.
	Options any
}

// Server is a simulated server.
type Server struct {
	process *process.Process
	vendor  string
	ca      string
	url     string
	admin   string
	client  *http.Client
}

// Start runs the server and returns when it answers. It runs until Stop or the end of ctx.
func Start(ctx context.Context, config Config) (*Server, error) {
	s := &Server{
		vendor: config.Vendor, ca: filepath.Join(config.Dir, config.Vendor+"-ca.crt"),
		client: &http.Client{Transport: &http.Transport{}, Timeout: timeout},
	}
	options := filepath.Join(config.Dir, config.Vendor+"-options.json")
	data, err := json.Marshal(config.Options)
	if err != nil {
		return nil, fmt.Errorf("encode the server's options: %w", err)
	}
	if err := os.WriteFile(options, data, 0o600); err != nil {
		return nil, fmt.Errorf("write the server's options: %w", err)
	}
	s.process, err = process.Start(ctx, process.Spec{
		Path: config.Binary, Args: append(config.Args, "-ca", s.ca, "-options", options), Dir: config.Dir,
	})
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
	match := regexp.MustCompile(`(?m)^` + s.vendor + ` (\S+)\nadmin (\S+)$`).FindStringSubmatch(s.process.Output())
	if match == nil {
		return errors.New("the simulated server of " + s.vendor + " has not printed its addresses")
	}
	s.url, s.admin = match[1], match[2]
	return nil
}

// URL is where the server answers.
func (s *Server) URL() string { return s.url }

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

// SetDevices replaces all records of the server; devices become a JSON list.
func (s *Server) SetDevices(ctx context.Context, devices any) error {
	data, err := json.Marshal(devices)
	if err != nil {
		return fmt.Errorf("encode devices: %w", err)
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

// Package fakejamf runs the simulated Jamf Pro server of the connector's own tests
// as a process, and changes its devices and its state while it runs.
package fakejamf

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
	"runtime"
	"time"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/process"
)

const (
	// timeout bounds how long the server may take until it answers, and each
	// exchange with its admin interface.
	timeout = 30 * time.Second
	// tokenLifetime is that of the server's tokens, in seconds.
	tokenLifetime = 599
	// maxReport bounds a report, in bytes.
	maxReport = 1 << 20

	clientID = "posture-connector"
)

// Device is one record of the server.
type Device struct {
	Computer bool    `json:"computer"` // false: a mobile device
	Serial   string  `json:"serial"`
	UDID     string  `json:"udid"`
	Name     string  `json:"name"`
	Managed  bool    `json:"managed"`
	User     User    `json:"user"`
	Groups   []Group `json:"groups"`
}

// User is the user of a device.
type User struct {
	Username   string `json:"username"`
	RealName   string `json:"real_name"`
	Email      string `json:"email"`
	Position   string `json:"position"`
	Department string `json:"department"`
}

// Group is a group that a device is a member of.
type Group struct {
	Name  string `json:"name"`
	Smart bool   `json:"smart"` // false: a static group
}

// Report is what the server has seen.
type Report struct {
	// Violations are what no client of a Jamf Pro server may do.
	Violations []string `json:"violations"`
	// Counts are the numbers of requests to each endpoint.
	Counts map[string]int `json:"counts"`
	// RequestIDs are the X-Request-Id of each request, in their order; "" for none.
	RequestIDs []string `json:"request_ids"`
}

// Config says what to run.
type Config struct {
	Binary  string // the program
	Dir     string // an existing, empty folder
	Devices []Device
}

// Server is a simulated Jamf Pro server.
type Server struct {
	process *process.Process
	access  connector.Jamf
	secret  string
	admin   string
	client  *http.Client
}

// Supported returns an error on systems where a program cannot be made to trust the
// simulated server, because Go does not read SSL_CERT_FILE there.
func Supported() error {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return errors.New("a Jamf Pro server cannot be simulated on " + runtime.GOOS + ": programs trust only the system's CAs there")
	}
	return nil
}

// Start runs the server and returns when it answers. It runs until Stop or the end of
// ctx.
func Start(ctx context.Context, config Config) (*Server, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	s := &Server{
		secret: "jamf-secret-" + rand.Text(),
		access: connector.Jamf{
			ClientID:     clientID,
			ClientSecret: filepath.Join(config.Dir, "client-secret"),
			CA:           filepath.Join(config.Dir, "jamf-ca.crt"),
		},
		client: &http.Client{Transport: &http.Transport{}, Timeout: timeout},
	}
	options := filepath.Join(config.Dir, "options.json")
	if err := s.writeFiles(options, config.Devices); err != nil {
		return nil, err
	}
	var err error
	s.process, err = process.Start(ctx, process.Spec{
		Path: config.Binary, Args: []string{"-ca", s.access.CA, "-options", options}, Dir: config.Dir,
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

func (s *Server) writeFiles(options string, devices []Device) error {
	type client struct {
		ID         string   `json:"id"`
		Secret     string   `json:"secret"`
		Privileges []string `json:"privileges"`
		ExpiresIn  int      `json:"expires_in"`
	}
	data, err := json.Marshal(struct {
		Clients []client `json:"clients"`
		Devices []Device `json:"devices"`
	}{
		[]client{{clientID, s.secret, []string{"Read Computers", "Read Mobile Devices", "Read Departments"}, tokenLifetime}},
		devices,
	})
	if err != nil {
		return fmt.Errorf("encode the server's options: %w", err)
	}
	for path, content := range map[string][]byte{options: data, s.access.ClientSecret: []byte(s.secret + "\n")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("write the server's files: %w", err)
		}
	}
	return nil
}

// readAddresses reads the two lines that the server prints when it listens.
func (s *Server) readAddresses(context.Context) error {
	match := regexp.MustCompile(`(?m)^jamf (\S+)\nadmin (\S+)$`).FindStringSubmatch(s.process.Output())
	if match == nil {
		return errors.New("the simulated Jamf Pro server has not printed its addresses")
	}
	s.access.BaseURL, s.admin = match[1], match[2]
	return nil
}

// Access is a connector's configuration for this server, without required groups.
func (s *Server) Access() connector.Jamf { return s.access }

// Secret is the client secret, which must not appear anywhere.
func (s *Server) Secret() string { return s.secret }

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

// SetDevices replaces all records of the server.
func (s *Server) SetDevices(ctx context.Context, devices []Device) error {
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

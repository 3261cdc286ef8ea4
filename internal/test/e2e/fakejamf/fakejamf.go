// Package fakejamf runs the simulated Jamf Pro server of the connector's own tests
// as a process, and changes its devices and its state while it runs.
package fakejamf

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"step-posture-connector/internal/test/e2e/connector"
	"step-posture-connector/internal/test/e2e/fakevendor"
)

const (
	// tokenLifetime is that of the server's tokens, in seconds.
	tokenLifetime = 599

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

// Config says what to run.
type Config struct {
	Binary  string // the program
	Dir     string // an existing, empty folder
	Devices []Device
}

// Server is a simulated Jamf Pro server.
type Server struct {
	*fakevendor.Server

	access connector.Jamf
	secret string
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
	secret := "jamf-secret-" + rand.Text()
	file := filepath.Join(config.Dir, "client-secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the client secret: %w", err)
	}
	server, err := fakevendor.Start(ctx, fakevendor.Config{
		Binary: config.Binary, Vendor: "jamf", Dir: config.Dir, Options: optionsOf(secret, config.Devices),
	})
	if err != nil {
		return nil, err
	}
	return &Server{server, connector.Jamf{BaseURL: server.URL(), ClientID: clientID, ClientSecret: file, CA: server.CA()}, secret}, nil
}

// options are what the program reads.
type options struct {
	Clients []client `json:"clients"`
	Devices []Device `json:"devices"`
}

// client is an API client of the server.
type client struct {
	ID         string   `json:"id"`
	Secret     string   `json:"secret"`
	Privileges []string `json:"privileges"`
	ExpiresIn  int      `json:"expires_in"`
}

func optionsOf(secret string, devices []Device) options {
	return options{[]client{{clientID, secret, []string{"Read Computers", "Read Mobile Devices", "Read Departments"}, tokenLifetime}}, devices}
}

// Access is a connector's configuration for this server, without required groups.
func (s *Server) Access() connector.Jamf { return s.access }

// Secret is the client secret, which must not appear anywhere.
func (s *Server) Secret() string { return s.secret }

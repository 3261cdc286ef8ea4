package program

import (
	"os"
	"path/filepath"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
)

// NewJamf makes a simulated Jamf Pro server that is not started yet, and the environment of a connector that asks it.
// Go reads SSL_CERT_FILE on Linux and the BSDs only.
func NewJamf(t *testing.T, p *PKI, devices ...jamftest.Device) (*jamftest.Server, Environment) {
	t.Helper()
	address := FreeAddress(t)
	server, env := newJamf(t, p, jamftest.Options{Address: address, Devices: devices})
	return server, env.With("JAMF_BASE_URL", "https://"+address)
}

// StartJamf is NewJamf with a server that runs.
func StartJamf(t *testing.T, p *PKI, devices ...jamftest.Device) (*jamftest.Server, Environment) {
	t.Helper()
	server, env := newJamf(t, p, jamftest.Options{Devices: devices})
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	return server, env.With("JAMF_BASE_URL", server.BaseURL())
}

func newJamf(t *testing.T, p *PKI, options jamftest.Options) (*jamftest.Server, Environment) {
	t.Helper()
	server, err := jamftest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "vendor.pem")
	if err := os.WriteFile(roots, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	return server, WorkingEnvironment(t, p).With("PROVIDER", "jamf", "FILE_PATH", "", "FILE_TYPE", "", "SSL_CERT_FILE", roots,
		"JAMF_CLIENT_ID", client.ID, "JAMF_CLIENT_SECRET", client.Secret)
}

// Mac is a managed Mac for NewJamf and StartJamf.
func Mac(serial string, groups ...string) jamftest.Device {
	device := jamftest.Device{Computer: true, Serial: serial, Managed: new(true)}
	for _, group := range groups {
		device.Groups = append(device.Groups, jamftest.Group{Name: group})
	}
	return device
}

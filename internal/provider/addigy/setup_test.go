package addigy_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy"
	"step-posture-connector/internal/provider/addigy/addigytest"
)

const (
	macSerial    = "C02XK1ABJHD2"
	phoneSerial  = "DMPXK1ABJF88"
	absentSerial = "ZZZXK1ABZZZZ"
)

// ample is enough time for a lookup to succeed on a busy machine.
const ample = time.Minute

// started starts a simulated Addigy. At the end of the test its violations are failures.
func started(t *testing.T, options addigytest.Options) *addigytest.Server {
	t.Helper()
	server := tolerant(t, options)
	t.Cleanup(func() {
		for _, violation := range server.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return server
}

// tolerant starts a simulated Addigy whose violations are not looked at.
func tolerant(t *testing.T, options addigytest.Options) *addigytest.Server {
	t.Helper()
	server, err := addigytest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// configOf is the configuration for a server.
func configOf(server *addigytest.Server) addigy.Config {
	return addigy.Config{BaseURL: server.BaseURL(), Token: config.NewSecret([]byte(server.Token())), Timeout: 10, RootCAs: server.CertPool()}
}

func opened(t *testing.T, c addigy.Config) *addigy.Provider {
	t.Helper()
	provider, err := addigy.New(c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(provider.Close)
	return provider
}

func query(t *testing.T, serial string, of posture.DeviceType) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(serial)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: of, Facts: posture.AllFacts(), RequestID: rand.Text()}
}

func lookup(t *testing.T, p *addigy.Provider, serial string) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return p.Lookup(ctx, query(t, serial, posture.AnyDevice))
}

// finds insists on the device.
func finds(t *testing.T, p *addigy.Provider, serial string) posture.Device {
	t.Helper()
	device, err := lookup(t, p, serial)
	if err != nil || device.Identifier != serial {
		t.Fatalf("Lookup(%q) = %q, %v, want the device", serial, device.Identifier, err)
	}
	return device
}

// fails insists on an error that is no answer about the device.
func fails(t *testing.T, p *addigy.Provider, serial string) error {
	t.Helper()
	device, err := lookup(t, p, serial)
	for _, answer := range []error{nil, posture.ErrNotFound, posture.ErrAmbiguous, posture.ErrIdentifier} {
		if errors.Is(err, answer) {
			t.Fatalf("Lookup(%q) = %q, %v, want an error that says that Addigy could not answer", serial, device.Identifier, err)
		}
	}
	return err
}

// listed returns all records of the list.
func listed(t *testing.T, p *addigy.Provider, facts posture.FactSet) (all []posture.Listing, result posture.Listed, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	result, err = p.List(ctx, posture.List{Facts: facts}, func(l posture.Listing) error {
		all = append(all, l)
		return nil
	})
	return all, result, err
}

// written is a time as Addigy writes it, some time ago.
func written(ago time.Duration) string {
	return time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.12Z")
}

func mac(serial string, policies ...string) addigytest.Device {
	if policies == nil {
		policies = []string{}
	}
	return addigytest.Device{
		Serial: serial, Name: "mac-ana-01", Model: "MacBook Pro (14-inch, 2023)", HardwareModel: "Mac15,3", OSVersion: "15.5", MacOSVersion: "15.5",
		LastOnline: written(time.Hour), Compliant: new(true), FileVault: new(true), Supervised: new(true), Policies: policies, PolicyID: "p-root",
		CurrentUser: "ana", AgentVersion: "2.26.1",
	}
}

func phone(serial string, policies ...string) addigytest.Device {
	d := mac(serial, policies...)
	d.Name, d.Model, d.HardwareModel, d.ProductName, d.OSVersion, d.MacOSVersion, d.FileVault = "iphone-ana", "iPhone 15", "iPhone15,4", "iPhone15,4", "18.5", "", nil
	return d
}

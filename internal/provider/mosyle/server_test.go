package mosyle_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
)

const (
	macSerial    = "C02XK1ABJHD2"
	padSerial    = "DMPXK1ABJF88"
	tvSerial     = "F9FXK1ABPLJM"
	absentSerial = "ZZZXK1ABZZZZ"
	// ample is enough time for a lookup to succeed on a busy machine.
	ample = time.Minute
	// many is more requests a second than any test makes.
	many = 1_000_000
)

// tolerant starts a server. The caller asks for its violations.
func tolerant(t *testing.T, o mosyletest.Options) *mosyletest.Server {
	t.Helper()
	server, err := mosyletest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// started starts a server. At the end of the test its violations are failures.
func started(t *testing.T, o mosyletest.Options) *mosyletest.Server {
	t.Helper()
	o.PerSecond = many
	server := tolerant(t, o)
	t.Cleanup(func() {
		for _, violation := range server.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return server
}

func configOf(server *mosyletest.Server, product string) mosyle.Config {
	token, email, password := server.Credentials()
	return mosyle.Config{
		Product: product, AccessToken: config.NewSecret([]byte(token)), Email: email, Password: config.NewSecret([]byte(password)),
		BaseURL: server.BaseURL(), Timeout: 10, RootCAs: server.CertPool(),
	}
}

func opened(t *testing.T, c mosyle.Config) *mosyle.Provider {
	t.Helper()
	p, err := mosyle.Unlimited(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func lookup(t *testing.T, p posture.Provider, serial string, of posture.DeviceType) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return p.Lookup(ctx, query(t, serial, of))
}

func query(t *testing.T, serial string, of posture.DeviceType) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(serial)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: of, Facts: posture.AllFacts() | posture.Document}
}

func finds(t *testing.T, p posture.Provider, serial string, of posture.DeviceType) posture.Device {
	t.Helper()
	device, err := lookup(t, p, serial, of)
	if err != nil || device.Identifier != serial {
		t.Errorf("Lookup(%q, %q) = the record of %q, %v, want the device", serial, of, device.Identifier, err)
	}
	return device
}

// wantFault insists on an error that is no answer about the device.
func wantFault(t *testing.T, p posture.Provider, serial string, of posture.DeviceType) error {
	t.Helper()
	device, err := lookup(t, p, serial, of)
	if err == nil || errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) || errors.Is(err, posture.ErrIdentifier) {
		t.Errorf("Lookup(%q, %q) = the record of %q, %v, want a fault", serial, of, device.Identifier, err)
	}
	return err
}

func wantError(t *testing.T, p posture.Provider, serial string, of posture.DeviceType, want error) {
	t.Helper()
	if device, err := lookup(t, p, serial, of); !errors.Is(err, want) {
		t.Errorf("Lookup(%q, %q) = the record of %q, %v, want %v", serial, of, device.Identifier, err, want)
	}
}

// ofKind is a record of an operating system.
func ofKind(serial, os string) mosyletest.Device {
	models := map[string]string{"mac": "Mac15,12", "ios": "iPad13,18", "tvos": "AppleTV14,1", "visionos": "RealityDevice14,1"}
	return mosyletest.Device{Serial: serial, UDID: "udid-" + serial, Name: "name of " + serial, OS: os, Model: models[os], OSVersion: "18.5"}
}

func someOfEach() []mosyletest.Device {
	return []mosyletest.Device{ofKind(macSerial, "mac"), ofKind(padSerial, "ios"), ofKind(tvSerial, "tvos")}
}

func products() []string { return []string{mosyletest.Business, mosyletest.Manager} }

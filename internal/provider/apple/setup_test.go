package apple_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple"
	"step-posture-connector/internal/provider/apple/appletest"
)

const (
	macSerial    = "C02XK1ABJHD2"
	phoneSerial  = "DMPXK1ABJF88"
	absentSerial = "ZZZXK1ABZZZZ"
)

// ample is enough time for a lookup to succeed on a busy machine.
const ample = time.Minute

// started starts a server. At the end of the test its violations are failures.
func started(t *testing.T, options appletest.Options) *appletest.Server {
	t.Helper()
	server := tolerant(t, options)
	t.Cleanup(func() {
		for _, violation := range server.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return server
}

// tolerant starts a server whose violations are not looked at.
func tolerant(t *testing.T, options appletest.Options) *appletest.Server {
	t.Helper()
	server, err := appletest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// configOf is the configuration for a server, which a policy file reads.
func configOf(server *appletest.Server) apple.Config {
	client := server.Client()
	c := apple.Config{
		ClientID: client.ID, KeyID: client.KeyID, PrivateKey: config.NewSecret([]byte(client.PrivateKey)),
		BaseURL: server.BaseURL(), TokenURL: server.TokenURL(), Timeout: 10, RootCAs: server.CertPool(),
	}
	c.ReadFacts()
	return c
}

func opened(t *testing.T, c apple.Config) *apple.Provider {
	t.Helper()
	provider, err := apple.New(c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return provider
}

// query is one of many: each has its own request ID, which must make no difference.
func query(t *testing.T, serial string, facts posture.FactSet) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(serial)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: posture.AnyDevice, Facts: facts, RequestID: rand.Text()}
}

func lookup(t *testing.T, provider posture.Provider, serial string, facts posture.FactSet) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return provider.Lookup(ctx, query(t, serial, facts))
}

// finds looks up a device that has to be found.
func finds(t *testing.T, provider posture.Provider, serial string, facts posture.FactSet) posture.Device {
	t.Helper()
	device, err := lookup(t, provider, serial, facts)
	if err != nil || device.Identifier != serial {
		t.Fatalf("Lookup(%q) = %+v, %v, want the device", serial, device, err)
	}
	return device
}

func mac(serial string) appletest.Device {
	return appletest.Device{
		Serial: serial, ProductFamily: "Mac", Model: `MacBook Air 13"`, OrderNumber: "77120045", PartNumber: "ZZ001X/A", Server: "Jamf HQ",
	}
}

func phone(serial string) appletest.Device {
	return appletest.Device{Serial: serial, ProductFamily: "iPhone", Model: "iPhone 16", PurchaseSource: "MANUALLY_ADDED"}
}

func attributes() posture.FactSet { return posture.MustFacts("device.attributes") }

// withoutPolicy is a configuration that only variables have made.
func withoutPolicy(c apple.Config) apple.Config {
	return apple.Config{
		ClientID: c.ClientID, KeyID: c.KeyID, PrivateKey: c.PrivateKey, BaseURL: c.BaseURL, TokenURL: c.TokenURL,
		Enrich: c.Enrich, AllowUnmanaged: c.AllowUnmanaged, Timeout: c.Timeout, RootCAs: c.RootCAs,
	}
}

// list lists all devices.
func list(t *testing.T, p *apple.Provider, facts posture.FactSet) ([]posture.Listing, posture.Listed) {
	t.Helper()
	all, listed, err := tryList(t, p, facts)
	if err != nil {
		t.Fatalf("List = %v", err)
	}
	return all, listed
}

func tryList(t *testing.T, p *apple.Provider, facts posture.FactSet) ([]posture.Listing, posture.Listed, error) {
	t.Helper()
	var all []posture.Listing
	listed, err := p.List(t.Context(), posture.List{Facts: facts}, func(l posture.Listing) error {
		all = append(all, l)
		return nil
	})
	return all, listed, err
}

package iru_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

const (
	macSerial    = "C02XK1ABJHD2"
	phoneSerial  = "DMPXK1ABJF88"
	absentSerial = "ZZZXK1ABZZZZ"
)

// ample is enough time for a lookup to succeed on a busy machine.
const ample = time.Minute

// started starts a tenant. At the end of the test its violations are failures.
func started(t *testing.T, options irutest.Options) *irutest.Server {
	t.Helper()
	server := tolerant(t, options)
	t.Cleanup(func() {
		for _, violation := range server.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return server
}

// tolerant starts a tenant whose violations are not looked at.
func tolerant(t *testing.T, options irutest.Options) *irutest.Server {
	t.Helper()
	server, err := irutest.New(options)
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
func configOf(server *irutest.Server) iru.Config {
	return iru.Config{
		BaseURL: server.URL(), Token: config.NewSecret([]byte(server.Token())), Timeout: 10, RootCAs: server.CertPool(),
	}
}

func opened(t *testing.T, c iru.Config) *iru.Provider {
	t.Helper()
	provider, err := iru.New(c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return provider
}

// reading opens a provider as a policy file has it opened.
func reading(t *testing.T, c iru.Config) *iru.Provider {
	t.Helper()
	c.ReadFacts()
	return opened(t, c)
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

func ask(t *testing.T, provider posture.Provider, q posture.Query) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return provider.Lookup(ctx, q)
}

func lookup(t *testing.T, provider posture.Provider, serial string) (posture.Device, error) {
	t.Helper()
	return ask(t, provider, query(t, serial, posture.WithoutPolicy()))
}

// reads looks up a device for all facts, which must be found.
func reads(t *testing.T, provider posture.Provider, serial string) posture.Device {
	t.Helper()
	device, err := ask(t, provider, query(t, serial, posture.AllFacts()))
	if err != nil || device.Identifier != serial {
		t.Fatalf("Lookup(%q) = %+v, %v, want the device", serial, device, err)
	}
	return device
}

// mac is a computer about which Iru knows everything.
func mac(serial string, tags ...string) irutest.Device {
	return irutest.Device{
		Serial: serial, UDID: "5B1D6C1E-7C0B-5E0E-9A55-0C7D1B0A9F11", Name: "mac-ana-01", Model: "MacBook Air (13-inch, M3, 2024)",
		OSVersion: "15.5", LastCheckIn: "2026-07-29T08:31:45.123456Z",
		FirstEnrollment: "2025-01-26 16:15:36.087016+00:00", LastEnrollment: "2025-02-03 09:00:00.000000+00:00",
		User:     &irutest.User{ID: "311", Name: "Ana Example", Email: "ana@example.com"},
		AssetTag: "A-1009", BlueprintID: "0d7e", BlueprintName: "Engineering", Tags: tags,
		MDMEnabled: new(true), Supervised: new(true), FileVault: new(true),
	}
}

func phone(serial string, tags ...string) irutest.Device {
	d := mac(serial, tags...)
	d.Platform, d.Name, d.Model, d.OSVersion = "iPhone", "iPhone-07", "iPhone 15", "18.5"
	return d
}

// known are the facts of a device, by name.
func known(d posture.Device) map[string]any {
	facts := map[string]any{}
	for _, definition := range posture.Vocabulary() {
		if value, is := definition.Get(&d); is {
			facts[definition.Name] = value
		}
	}
	return facts
}

// editTo replaces every answer by another one.
func editTo(body []byte) vendortest.Fault {
	return vendortest.Fault{Kind: vendortest.Edit, Change: func([]byte) []byte { return body }}
}

package addigy_test

import (
	"errors"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy/addigytest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestIgnoredFilter: a search that ignores its filter returns other devices. They are no answer about the device, and neither is
// that the device is not among them.
func TestIgnoredFilter(t *testing.T) {
	t.Parallel()
	for name, devices := range map[string][]addigytest.Device{
		"few":                          {mac("C02XK1ABJH01"), phone(phoneSerial)},
		"a page":                       many(10),
		"many":                         many(30),
		"many, the device among them":  append(many(30), mac(macSerial)),
		"the device on the first page": append(many(30), mac("C02XK0000000")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, addigytest.Options{Devices: devices, IgnoreFilters: true})
			provider := opened(t, configOf(server))
			if name == "few" || name == "a page" {
				fails(t, provider, absentSerial)
			}
			fails(t, provider, macSerial)
			if len(devices) > 10 {
				fails(t, provider, "C02XK0000000")
			}
			server.IgnoreFilters(false)
			if _, err := lookup(t, provider, absentSerial); !errors.Is(err, posture.ErrNotFound) {
				t.Errorf("with a filter again, an absent device = %v, want not found", err)
			}
		})
	}
}

// TestNotFound: every form in which Addigy may say that there is no such device.
func TestNotFound(t *testing.T) {
	t.Parallel()
	for _, options := range []addigytest.Options{{}, {NoPages: 1}, {NullItems: true}, {NullItems: true, NoPages: 1}} {
		options.Devices = []addigytest.Device{mac(macSerial)}
		provider := opened(t, configOf(started(t, options)))
		if _, err := lookup(t, provider, absentSerial); !errors.Is(err, posture.ErrNotFound) {
			t.Errorf("%+v: an absent device = %v, want not found", options, err)
		}
		finds(t, provider, macSerial)
	}
}

// TestManyEnrollments: more records of one serial number than a page has are not compared.
func TestManyEnrollments(t *testing.T) {
	t.Parallel()
	var devices []addigytest.Device
	for i := range 11 {
		d := mac(macSerial)
		d.LastOnline = written(time.Duration(i+1) * time.Hour)
		devices = append(devices, d)
	}
	server := started(t, addigytest.Options{Devices: devices})
	provider := opened(t, configOf(server))
	fails(t, provider, macSerial)
	server.Replace(devices[1:]...)
	finds(t, provider, macSerial)
}

// TestUncertainDuplicate: the newest of several records cannot be known where one of them cannot be read.
func TestUncertainDuplicate(t *testing.T) {
	t.Parallel()
	broken, failed := mac(macSerial), mac(macSerial)
	broken.Broken = true
	failed.Facts = map[string]addigytest.Fact{"serial_number": {Type: "string", Value: macSerial, ErrorMsg: "timeout"}}
	for _, other := range []addigytest.Device{broken, failed} {
		fails(t, opened(t, configOf(started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial), other}}))), macSerial)
	}
}

// TestOneRequest: a lookup takes one request, and asks for all facts by name.
func TestOneRequest(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	provider := opened(t, configOf(server))
	for range 3 {
		finds(t, provider, macSerial)
	}
	if got := server.Count(); got != 3 {
		t.Errorf("three lookups took %d requests", got)
	}
}

// TestOtherTexts: Addigy is not asked for what cannot be a serial number.
func TestOtherTexts(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	provider := opened(t, configOf(server))
	for _, text := range []string{"C02XK1A", "C02XK1ABJHD2345", "C02XK1ABJHD*", "00008103-001A2B3C4D5E6F70", "....."} {
		if _, err := lookup(t, provider, text); !errors.Is(err, posture.ErrIdentifier) {
			t.Errorf("Lookup(%q) = %v, want %v", text, err, posture.ErrIdentifier)
		}
	}
	if got := server.Count(); got != 0 {
		t.Errorf("Addigy was asked %d times", got)
	}
}

// TestRevoked: a token that was revoked is a fault, and the error says what to check.
func TestRevoked(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	provider := opened(t, configOf(server))
	finds(t, provider, macSerial)
	server.Revoke()
	if err := fails(t, provider, macSerial); !errors.Is(err, posture.ErrCredentials) {
		t.Errorf("Lookup with a revoked token = %v, want %v", err, posture.ErrCredentials)
	}
	if got := server.Count(); got != 2 {
		t.Errorf("the token was tried %d times, want once more", got-1)
	}
}

// TestPassingFault: a server error is survived by asking again.
func TestPassingFault(t *testing.T) {
	t.Parallel()
	server := started(t, addigytest.Options{Devices: []addigytest.Device{mac(macSerial)}})
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: 500, Body: `{"code":500}`, Times: 1})
	finds(t, opened(t, configOf(server)), macSerial)
}

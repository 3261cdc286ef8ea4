// Package providertest is the contract that every provider must pass. Run tests its answers about devices; RunHTTP
// tests that a provider that asks a vendor's server survives the server's faults.
//
// A provider's test says how to make an inventory and open a provider on it, and what its inventory lacks; the suites
// bring the rest:
//
//	func TestContract(t *testing.T) {
//		providertest.Run(t, providertest.Harness{Open: open, Lacks: providertest.Groups})
//	}
package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// Device is a record that a suite wants to have in an inventory.
type Device struct {
	Identifier string
	// Type is Computer or MobileDevice. Inventories that do not distinguish them ignore it.
	Type      posture.DeviceType
	Unmanaged bool
	Groups    []string
	// Seen is how long before the day of the test the device was seen last. Of several records with one identifier, an
	// inventory with the trait Newest answers with the one that was seen last.
	Seen time.Duration
}

// Inventory is one that the suite has to itself, with a provider in front of it.
type Inventory struct {
	Provider posture.Provider
	// Replace makes these devices, and no others, the inventory.
	Replace func(devices ...Device)
	// Damage makes the record with an identifier one that a lookup cannot read; nil where no record can be like that.
	Damage func(identifier string)
	// Secrets returns what must not be in any error; may be nil.
	Secrets func() []string
	// Violations returns what the provider did that the inventory forbids; may be nil.
	Violations func() []string
}

// Harness is how a provider's test lets the suite use the provider.
type Harness struct {
	// Open makes an inventory of the devices and opens a new provider on it. Both end with t.
	Open func(t *testing.T, devices ...Device) Inventory
	// Lacks are the traits that inventories of this kind do not have.
	Lacks Trait
}

func (h Harness) has(trait Trait) bool { return !h.Lacks.has(trait) }

const (
	// ample is the time for a lookup that has to succeed.
	ample = time.Minute
	// brief is the time for a lookup that cannot.
	brief = time.Second / 2
	// grace is added to a deadline before a lookup is said to outlive it. It is long, because the
	// machine may be busy, and shorter than the time limits that providers set to their own requests.
	grace = 6 * time.Second
)

// open opens an inventory. Its violations are failures when the test ends.
func (h Harness) open(t *testing.T, devices ...Device) Inventory {
	t.Helper()
	inventory := h.Open(t, devices...)
	inventory.watch(t)
	return inventory
}

func (i Inventory) watch(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if i.Violations == nil {
			return
		}
		for _, violation := range i.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
}

// query asks for a device that a test knows to be a possible one.
func query(t *testing.T, identifier string, of posture.DeviceType) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(identifier)
	if err != nil {
		t.Fatalf("ParseIdentifier(%q): %v", identifier, err)
	}
	return posture.Query{Identifier: id, Type: of, Facts: posture.WithoutPolicy()}
}

// lookup asks the provider and insists that it returns by the deadline, and that an error holds no secret.
func (i Inventory) lookup(t *testing.T, q posture.Query, timeout time.Duration) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return i.lookupWith(ctx, t, q, timeout+grace)
}

var errOutlived = errors.New("the lookup has not returned")

type answer struct {
	device posture.Device
	err    error
}

func (i Inventory) lookupWith(ctx context.Context, t *testing.T, q posture.Query, limit time.Duration) (posture.Device, error) {
	t.Helper()
	answers := make(chan answer, 1)
	go func() {
		device, err := i.Provider.Lookup(ctx, q)
		answers <- answer{device, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a := <-answers:
		i.checkError(t, a.err)
		return a.device, a.err
	case <-timer.C:
		t.Errorf("Lookup(%q) did not return within %v: it outlives its deadline", q.Identifier, limit)
		return posture.Device{}, errOutlived
	}
}

// checkError insists that neither an error nor what it wraps shows a secret.
func (i Inventory) checkError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var secrets []string
	if i.Secrets != nil {
		secrets = i.Secrets()
	}
	for _, text := range texts(err) {
		for _, secret := range secrets {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("the error %q holds a secret or the vendor's words", strings.ReplaceAll(text, secret, "(SECRET)"))
			}
		}
	}
	text := strings.ReplaceAll(err.Error(), "?mode=", "") // of our own URL: how to search for the other type of device
	if regexp.MustCompile(`[?&][A-Za-z_.-]+=|[Bb]earer [A-Za-z0-9]`).MatchString(text) {
		t.Errorf("the error %q holds a URL's query or an Authorization header", err)
	}
}

// texts returns those of an error and of everything that it wraps, in each form that a log may choose.
func texts(err error) []string {
	if err == nil {
		return nil
	}
	found := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)}
	found = append(found, texts(errors.Unwrap(err))...)
	if joined, ok := any(err).(interface{ Unwrap() []error }); ok {
		for _, inner := range joined.Unwrap() {
			found = append(found, texts(inner)...)
		}
	}
	return found
}

// finds insists on the device.
func (i Inventory) finds(t *testing.T, identifier string, of posture.DeviceType) posture.Device {
	t.Helper()
	q := query(t, identifier, of)
	device, err := i.lookup(t, q, ample)
	if err != nil {
		t.Errorf("Lookup(%q, %q) = %v, want the device", identifier, of, err)
		return device
	}
	if !q.Identifier.Matches(device) {
		t.Errorf("Lookup(%q, %q) returned the record of %q", identifier, of, device.Identifier)
	}
	checkData(t, device)
	return device
}

func checkData(t *testing.T, device posture.Device) {
	t.Helper()
	data := bytes.TrimSpace(device.Data)
	if len(data) > 0 && (data[0] != '{' || !json.Valid(data)) {
		t.Errorf("the data of %q is %s, want a JSON object", device.Identifier, data)
	}
}

// refuses insists on an answer that is one of the given errors, and on no device beside it.
func (i Inventory) refuses(t *testing.T, q posture.Query, wanted ...error) {
	t.Helper()
	device, err := i.lookup(t, q, ample)
	if device.Identifier != "" || managed(device) || device.Data != nil || groups(device) != nil {
		t.Errorf("Lookup(%q, %q) returned the record of %q with its error %v", q.Identifier, q.Type, device.Identifier, err)
	}
	for _, want := range wanted {
		if errors.Is(err, want) {
			return
		}
	}
	t.Errorf("Lookup(%q, %q) = the record of %q, %v, want one of %q", q.Identifier, q.Type, device.Identifier, err, wanted)
}

// checkFault insists that the provider could not answer: on an error that is no answer about the device.
func checkFault(t *testing.T, device posture.Device, err error) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("Lookup returned the record of %q, data %s, want an error that says the inventory could not answer", device.Identifier, device.Data)
	case errors.Is(err, posture.ErrNotFound), errors.Is(err, posture.ErrAmbiguous), errors.Is(err, posture.ErrIdentifier):
		t.Errorf("Lookup = %v, want an error that says the inventory could not answer", err)
	case device.Identifier != "" || managed(device):
		t.Errorf("Lookup returned the record of %q with its error %v", device.Identifier, err)
	}
}

package posture

import (
	"context"
	"encoding/json"
	"errors"
)

// The answers of an inventory that are not a device and not a fault.
var (
	// ErrNotFound means that the inventory answered and has no such device.
	ErrNotFound = errors.New("no such device in the inventory")
	// ErrAmbiguous means that the inventory has several devices with the identifier.
	ErrAmbiguous = errors.New("several devices in the inventory have the identifier")
	// ErrIdentifier means that no device of the inventory can have such an identifier; the inventory was not asked.
	ErrIdentifier = errors.New("the inventory knows no identifiers of this form")
)

// The errors of a Checker. Only ErrCredentials stops the start of the daemon, because the operator has to change the
// configuration; the cause of every other error may disappear without that.
var (
	// ErrCredentials means that the inventory answered, and refused the credentials.
	ErrCredentials = errors.New("the inventory refused the credentials")
	// ErrUnanswered means that the credentials were accepted, but that no test lookup was answered.
	ErrUnanswered = errors.New("no lookup was answered")
)

// DeviceType says which kind of device is asked for. Inventories that keep all kinds together
// ignore it; the zero value leaves the choice to the provider.
type DeviceType string

// The device types of the mode parameter.
const (
	AnyDevice    DeviceType = "any"
	MobileDevice DeviceType = "mobiledevice"
	Computer     DeviceType = "computer"
)

// within reports whether a device of type t may be the answer to a question about devices of another. One whose type is not
// known may be.
func (t DeviceType) within(asked DeviceType) bool {
	return t == "" || asked == "" || asked == AnyDevice || t == asked
}

// ParseDeviceType accepts any, mobiledevice and computer, and the empty string as "not given".
func ParseDeviceType(text string) (DeviceType, error) {
	switch t := DeviceType(text); t {
	case "", AnyDevice, MobileDevice, Computer:
		return t, nil
	}
	return "", errors.New("mode is not one of mobiledevice, computer, any")
}

// Query asks an inventory for one device.
type Query struct {
	Identifier Identifier
	Type       DeviceType
	// Facts are those that rules and data will read. A provider may return others too; those that need another request, or a
	// part of its server's answer, it need not ask for.
	Facts FactSet
	// Recorded are those of Facts that are only recorded: one that cannot be asked for stays unknown, and is no fault.
	Recorded FactSet
	// RequestID is that of step-ca's request. A provider passes it to its server, so that the logs of both
	// can be compared; it does not change the answer.
	RequestID string

	recall bool // the first pass of Gate.Decide
}

// Device is what an inventory knows about one device: facts, no verdict.
// The zero Device is not managed and so is never allowed.
type Device struct {
	// Identifier is the one in the inventory's own record, not the one asked for.
	Identifier string
	// Type is the kind of device, or empty where the inventory does not distinguish kinds.
	Type DeviceType
	// Facts are what the inventory knows about it.
	Facts Facts
	// Data is a JSON object with facts for the certificate template; empty means there are none.
	Data json.RawMessage
}

// Provider is an inventory of devices.
type Provider interface {
	// Lookup returns the one device that q identifies.
	// It returns ErrNotFound when the inventory answered and has no such device,
	// ErrAmbiguous when it has several, ErrIdentifier when no device can have the identifier,
	// and any other error when it could not answer.
	// It returns by ctx's deadline and is safe for concurrent use.
	Lookup(ctx context.Context, q Query) (Device, error)
}

// Partial is a Provider that can answer about some facts only, as it was opened. It says nothing about the others: they
// are not unknown.
type Partial interface{ Gives() FactSet }

// InMemory is a Provider that answers from memory: it never waits, so it needs no time limit.
type InMemory interface{ InMemory() }

// Reloader is a Provider that reads files, which may change at any time.
type Reloader interface {
	// Reload reads the files again, and changes nothing yet. Its error has a line for each fault.
	Reload() (Loaded, error)
}

// Loaded is an inventory that was read and is not in effect yet.
type Loaded struct {
	Found    string   // what was found, for the operator
	Warnings []string // what is accepted but probably not meant
	Apply    func()   // replaces the inventory in effect, between two lookups
}

// Tracer is a Provider that can report each request to its server, for debugging.
type Tracer interface {
	// Trace is called before the first lookup. What it passes to log holds no secret.
	Trace(log func(format string, arguments ...any))
}

// Checker is a Provider that can check, at start, whether it will be able to answer.
type Checker interface {
	// Check contacts the inventory once and returns what it found. Warnings are what an operator should
	// fix. An error says why lookups will fail for now: it wraps ErrCredentials where the credentials are
	// wrong; the cause of any other error (not reachable, not trusted, not the expected kind of answer, a
	// missing privilege, ErrUnanswered) may pass without a restart.
	Check(ctx context.Context) (found string, warnings []string, err error)
}

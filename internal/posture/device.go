package posture

import (
	"context"
	"encoding/json"
	"errors"
)

// The answers of an inventory that are not a device and not a fault.
var (
	// ErrNotFound says that the inventory answered and has no such device.
	ErrNotFound = errors.New("no such device in the inventory")
	// ErrAmbiguous says that the inventory has several devices with the identifier.
	ErrAmbiguous = errors.New("several devices in the inventory bear the identifier")
	// ErrIdentifier says that no device of the inventory can have such an identifier; it was not asked.
	ErrIdentifier = errors.New("the inventory knows no identifiers of this form")
)

// What a Checker reports besides. A daemon ends its start for ErrCredentials only, because nothing but a
// changed configuration helps; every other error of Check may be over later.
var (
	// ErrCredentials says that the inventory answered, and refused the credentials.
	ErrCredentials = errors.New("the inventory refused the credentials")
	// ErrUnanswered says that the credentials were accepted, but that no test lookup was answered.
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
	// RequestID names the request for which is asked. A provider hands it on to its server, so that
	// both logs can be read together; it makes no difference to the answer.
	RequestID string
}

// Device is what an inventory knows about one device: facts, no verdict.
// The zero Device is not managed and so is never allowed.
type Device struct {
	// Identifier is the one that the inventory's own record bears, not the one asked for.
	Identifier string
	// Type is the kind of device, or empty where the inventory does not tell them apart.
	Type DeviceType
	// Managed says that the inventory's owner manages the device now.
	Managed bool
	// Groups are the names of the groups the device is a member of.
	Groups []string
	// Data is a JSON object with facts for the certificate template; empty means there are none.
	Data json.RawMessage
}

// Provider is an inventory of devices.
type Provider interface {
	// Lookup returns the single device q identifies.
	// It returns ErrNotFound when the inventory answered and has no such device,
	// ErrAmbiguous when it has several, ErrIdentifier when none can be there,
	// and any other error when it could not answer.
	// It returns by ctx's deadline and is safe for concurrent use.
	Lookup(ctx context.Context, q Query) (Device, error)
}

// InMemory is a Provider that answers from memory: it never waits, so it needs no time limit.
type InMemory interface{ InMemory() }

// Reloader is a Provider that reads files, which may change under it.
type Reloader interface {
	// Reload reads the files anew, and changes nothing yet. Its error has a line for each fault.
	Reload() (Loaded, error)
}

// Loaded is an inventory that was read and is not in effect.
type Loaded struct {
	Found    string   // what was found, for the operator
	Warnings []string // what is accepted but probably not meant
	Apply    func()   // replaces the inventory in effect, between two lookups
}

// Tracer is a Provider that can report each request to its server, for debugging.
type Tracer interface {
	// Trace is called before the first lookup. What it hands to log holds no secret.
	Trace(log func(format string, arguments ...any))
}

// Checker is a Provider that can tell, at start, whether it will be able to answer.
type Checker interface {
	// Check contacts the inventory once and says what it found there. Warnings are what an operator should
	// fix. An error says why lookups will fail as things are: it wraps ErrCredentials where the credentials
	// are wrong; any other error (not reachable, not trusted, no answer as this inventory gives, a missing
	// privilege, ErrUnanswered) may be over later without a restart.
	Check(ctx context.Context) (found string, warnings []string, err error)
}

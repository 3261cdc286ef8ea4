package posture

import (
	"encoding/json"
)

// Code is the stable name of a refusal. It is part of the product's interface: step-ca
// turns it into urn:smallstep:acme:error:<code> for the ACME client.
type Code string

// The refusals that follow from the inventory and the policy. The rules of a policy file may have codes of their own.
const (
	DeviceNotFound     Code = "deviceNotFound"
	DeviceAmbiguous    Code = "deviceAmbiguous"
	DeviceNotManaged   Code = "deviceNotManaged"
	DeviceNotInGroup   Code = "deviceNotInGroup"
	DeviceNotCompliant Code = "deviceNotCompliant"
	IdentifierInvalid  Code = "identifierInvalid"
)

// The refusals that follow from the names in a certificate, or in the request for one, and from the certificate that a device
// shows.
const (
	CommonNameMismatch   Code = "commonNameMismatch"
	SANMismatch          Code = "sanMismatch"
	IdentifierMissing    Code = "identifierMissing"
	CertificateMissing   Code = "certificateMissing"
	CertificateUntrusted Code = "certificateUntrusted"
)

// Decision is the answer about one device. Only Policy.Authorize makes one that allows;
// the zero Decision refuses.
type Decision struct {
	allow   bool
	code    Code
	reason  string
	message string
	groups  []string
	device  *Device // nil when no inventory has it
	verdict Verdict

	data        json.RawMessage
	dataUnknown []string
}

// Allowed reports whether the device may have a certificate.
func (d Decision) Allowed() bool { return d.allow }

// Code names the refusal; it is empty when the device is allowed.
func (d Decision) Code() Code { return d.code }

// Reason says why. It is for logs and the administrator: it may name groups, which the person at the
// device must not see.
func (d Decision) Reason() string { return d.reason }

// Message is what the rule that refuses says to the person at the device; empty where the code has a sentence of its own.
func (d Decision) Message() string { return d.message }

// Groups names the groups that the device had to be a member of, and is.
func (d Decision) Groups() []string { return d.groups }

// Verdict is what the rules said. They are evaluated whenever an inventory knows the device.
func (d Decision) Verdict() Verdict { return d.verdict }

// Data is the JSON object for the certificate template. It is empty when the inventory has none, and when
// the device is refused.
func (d Decision) Data() json.RawMessage {
	if !d.allow {
		return nil
	}
	return d.data
}

// DataUnknown names the members of the data that could not be evaluated and so are "".
func (d Decision) DataUnknown() []string { return d.dataUnknown }

// Device is the record that the decision is about, or the zero Device when the inventory has none. It is for
// the administrator, as Reason is.
func (d Decision) Device() Device {
	if d.device == nil {
		return Device{}
	}
	return *d.device
}

func deny(code Code, reason string) Decision {
	return Decision{code: code, reason: reason}
}

// Package doors answers when a device shows its certificate: to a RADIUS server, for Wi-Fi, wired networks and VPN, and to a web
// server that asks before it lets a request through (forward auth). It decides by the policies that decide about certificates.
package doors

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/authority"
	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/posture"
)

// Entry is what some callers may ask, and how they are answered.
type Entry struct {
	Door string // posture.RADIUSDoor or posture.ForwardAuthDoor
	// Callers are names in the certificate of a caller: DNS names and e-mail addresses, and common names with "cn:" before them.
	Callers []string
	Gate    *posture.Gate
	// Cache is how long an answer is remembered; zero for not at all.
	Cache time.Duration
	// ReadsRADIUS says that the answer depends on the connection.
	ReadsRADIUS bool

	RADIUS      RADIUS
	ForwardAuth ForwardAuth
}

// Text gives a text for an answer about a device that is allowed. The error says why there is none.
type Text func(*posture.Evidence) (string, error)

// RADIUS is how a RADIUS server is answered.
type RADIUS struct {
	// VLAN gives the network of the device; nil where none is assigned.
	VLAN           Text
	SessionTimeout time.Duration
	// Quarantine is the network of devices that are refused with one of QuarantineCodes; empty for none.
	Quarantine      string
	QuarantineCodes []posture.Code
}

// ForwardAuth is how a web server is answered.
type ForwardAuth struct {
	Header   string // in which the certificate comes
	Identity devicecert.Identity
	Headers  []Header // of the answer, beside X-Device-Id
}

// Header is a header of an answer.
type Header struct {
	Name string
	Text Text
}

// Doors are all entries, and whose certificates are those of devices. They never change; Handler.Use replaces them by others.
type Doors struct {
	trust   *devicecert.Trust
	entries []*Entry
	// An own cache for each generation, so that no answer outlives what it was decided by.
	answers atomic.Pointer[cache]
}

// New makes Doors.
func New(trust *devicecert.Trust, entries []*Entry) *Doors {
	d := &Doors{trust: trust, entries: entries}
	d.Forget()
	return d
}

// Forget empties the cache: what an inventory says has changed. Answers that are being decided are not remembered either.
func (d *Doors) Forget() { d.answers.Store(newCache()) }

// caller finds the entry of a caller at a door, and which of its names matched. The error says why there is none.
func (d *Doors) caller(door string, cert *x509.Certificate) (*Entry, string, error) {
	if err := notOfDevice(cert); err != nil {
		return nil, "", err
	}
	var found *Entry
	name := ""
	for _, e := range d.entries {
		i := slices.IndexFunc(e.Callers, func(name string) bool { return authority.Bears(cert, name) })
		switch {
		case e.Door != door || i < 0:
		case found != nil: // fail closed: which policy decides would be a matter of order
			return nil, "", fmt.Errorf("the caller's certificate bears names of two entries of doors.%s: %q and %q", door, name, e.Callers[i])
		default:
			found, name = e, e.Callers[i]
		}
	}
	if found == nil {
		return nil, "", fmt.Errorf("the caller's certificate bears none of the names in callers of doors.%s: its common name is %.128q, its DNS names are %.256q", door, cert.Subject.CommonName, cert.DNSNames)
	}
	return found, name, nil
}

// notOfDevice refuses the certificate of a device as that of a caller: it could ask about every other device.
func notOfDevice(cert *x509.Certificate) error {
	for _, ext := range cert.Extensions {
		if ext.Id.String() != certname.SubjectAltName {
			continue
		}
		identifiers, err := certname.AppendPermanentIdentifiers(nil, ext.Value)
		if err != nil || len(identifiers) > 0 {
			return fmt.Errorf("the caller's certificate has a permanentIdentifier, as those of devices have: %.128q", identifiers)
		}
	}
	return nil
}

// budget is the time within which a question is answered.
func budget(door string) time.Duration {
	return cmp.Or(map[string]time.Duration{posture.RADIUSDoor: RADIUSBudget}[door], ForwardAuthBudget)
}

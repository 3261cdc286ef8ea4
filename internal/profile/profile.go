// Package profile writes the configuration profile with which Apple devices order their certificate: an ACME payload for
// step-ca, the CA's root, and a Wi-Fi network that uses the certificate.
package profile

import (
	"crypto/x509"
	"errors"
	"fmt"

	"howett.net/plist"
)

// Request says what the profile is for. Its fields are flags of the command line, and errors name those.
type Request struct {
	CAURL       string // https://HOST or https://HOST:PORT
	Provisioner string
	MDM         string
	// Variable replaces the variable of the MDM, if it is not empty.
	Variable     string
	Organization string // shown on the device
	// Identifier is what the device knows the profile by; empty means one made of the CA and the provisioner.
	Identifier string
	// Root is the root of the CA, or nil. ReadRoot has checked it.
	Root *x509.Certificate
	// SSID is the Wi-Fi network, or "", and Servers are the names in the certificate of its RADIUS server.
	SSID    string
	Servers []string
}

// Profile is a profile to upload.
type Profile struct {
	Text  []byte   // XML
	Notes []string // what the operator has to know, one line each; the first says where to upload
}

// Make makes a profile. The same request makes the same text.
func Make(r Request) (Profile, error) {
	known, problems := r.check()
	if len(problems) > 0 {
		return Profile{}, errors.Join(problems...)
	}
	document, err := r.document(known)
	if err != nil {
		return Profile{}, err
	}
	text, err := plist.MarshalIndent(document, plist.XMLFormat, "\t")
	if err != nil {
		return Profile{}, fmt.Errorf("write the profile: %w", err)
	}
	return Profile{Text: append(text, '\n'), Notes: r.notes(known)}, nil
}

// notes says where the profile is uploaded, and what the profile cannot say itself.
func (r Request) notes(m MDM) []string {
	notes := []string{"upload it in " + m.Title + ": " + m.Upload + "; do not sign it: nothing can be replaced in a signed file"}
	switch {
	case r.Variable != "":
		notes = append(notes, fmt.Sprintf("%s has to replace %s by the serial number", m.Title, r.Variable))
	case m.Verified:
		notes = append(notes, fmt.Sprintf("%s replaces %s by the serial number", m.Title, m.Variable))
	default:
		notes = append(notes, fmt.Sprintf("%s was not found in a publication of %s: look it up there, and set another one with --variable", m.Variable, m.Title))
	}
	if m.Note != "" {
		notes = append(notes, m.Note)
	}
	if r.Root == nil {
		notes = append(notes, "no --root: the devices refuse the CA unless they trust its root already")
	}
	if r.SSID != "" {
		if len(r.Servers) == 0 {
			notes = append(notes, "no --wifi-server: the devices trust every server that has a certificate of this root; "+
				"name the RADIUS server's certificate")
		}
		if r.Root == nil {
			notes = append(notes, "no --root: the devices join only if they trust the root of the RADIUS server already")
		}
	}
	return notes
}

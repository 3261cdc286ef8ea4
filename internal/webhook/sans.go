package webhook

import (
	"errors"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/certname"
)

const (
	oidPermanentIdentifier  = "1.3.6.1.5.5.7.8.3" // RFC 4043
	typePermanentIdentifier = "permanentIdentifier"
)

// addSANs adds the permanent identifiers of the two JSON forms of subject alternative names. step-ca
// signs those in extensions; sans is what the template wrote; step-ca makes an extension of it.
// Both are read, as step-ca reads them, and everything that step-ca could read in another way is refused.
func (n *claimedNames) addSANs(sans []san, extensions []extension) *Problem {
	for _, s := range sans {
		is, p := s.isPermanentIdentifier()
		if p != nil {
			return p
		}
		if !is {
			continue
		}
		value, p := s.permanentIdentifier()
		if p != nil {
			return p
		}
		n.permanentIdentifiers = append(n.permanentIdentifiers, value)
	}
	return eachSANExtension(extensions, n.addSANExtension)
}

// eachSANExtension calls read with the DER of every subjectAltName extension, until one has a problem.
func eachSANExtension(extensions []extension, read func(der []byte) *Problem) *Problem {
	for _, ext := range extensions {
		switch {
		case ext.ID == certname.SubjectAltName:
			if p := read(ext.Value); p != nil {
				return p
			}
		case ext.ID == "": // step-ca leaves such an extension out
		case !certname.IsCanonicalOID(ext.ID):
			return problemf(codeSANMismatch, "the extension type %q is not a plain dotted OID, so step-ca may sign it as subject alternative names", ext.ID)
		}
	}
	return nil
}

// isPermanentIdentifier reports whether step-ca makes a permanent identifier of the SAN. A type that is
// not one of step-ca's words is an OID to it, which it parses arc by arc: "+3" and "03" are 3, and a
// negative arc vanishes in the DER. Only the one canonical form can be compared as text.
func (s san) isPermanentIdentifier() (bool, *Problem) {
	switch s.Type {
	case typePermanentIdentifier:
		return true, nil
	case "", "auto", "dns", "email", "ip", "uri", "dn", "registeredID", "hardwareModuleName", "userPrincipalName", "x400Address", "ediPartyName":
		return false, nil
	case oidPermanentIdentifier:
		// The value would be DER that the template writes by hand, in one of a dozen forms.
		return false, problemf(codeSANMismatch, "a SAN has the OID of a permanent identifier as its type; write %q in the template", typePermanentIdentifier)
	}
	if !certname.IsCanonicalOID(s.Type) {
		return false, problemf(codeSANMismatch, "the SAN type %q is neither a type of step-ca nor a plain dotted OID", s.Type)
	}
	return false, nil
}

// permanentIdentifier returns the identifier that step-ca would put into the SAN: that of asn1Value where
// the SAN has one, null included; otherwise value. "" is a SAN without an identifier.
func (s san) permanentIdentifier() (string, *Problem) {
	if len(s.ASN1Value) == 0 {
		return s.Value, nil
	}
	var value struct {
		Identifier string `json:"identifier"`
		Assigner   string `json:"assigner"`
	}
	// step-ca ignores the case of member names, and of two takes the last: every other spelling is refused.
	err := json.Unmarshal(s.ASN1Value, &value, json.RejectUnknownMembers(true))
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return "", problemf(codeSANMismatch, "asn1Value of a permanent identifier SAN has members other than identifier and assigner")
	case err != nil:
		return "", problemf(codeMalformed, "decode asn1Value of a permanent identifier SAN: %w", err)
	}
	return value.Identifier, nil
}

// addSANExtension adds the permanent identifiers of a DER subjectAltName extension. Every other
// kind of name is passed over.
func (n *claimedNames) addSANExtension(der []byte) *Problem {
	var err error
	n.permanentIdentifiers, err = certname.AppendPermanentIdentifiers(n.permanentIdentifiers, der)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, certname.ErrForm):
		return &Problem{codeSANMismatch, err}
	default:
		return &Problem{codeMalformed, err}
	}
}

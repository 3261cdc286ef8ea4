package webhook

import (
	"crypto/x509"
	"encoding/hex"
	"math"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/crypto/ssh"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/posture"
)

// parts are the members of a body that no attested request needs.
type parts struct {
	principal string
	x5c       *struct {
		Raw []byte `json:"raw"`
	}
	challenge        *string // nil where step-ca left it out, as an empty one
	transactionID    string
	errorCode        int64
	errorDescription string
	ssh              *sshObject
}

// sshObject is an SSH certificate, or the request for one: step-ca spells the key ID in two ways.
type sshObject struct {
	Type        string   `json:"type"`
	RequestID   string   `json:"keyID"`
	KeyID       string   `json:"keyId"`
	Principals  []string `json:"principals"`
	ValidBefore *uint64  `json:"validBefore"` // Unix seconds
	PublicKey   []byte   `json:"publicKey"`   // wire format
}

// readParts decodes the members. Each has the type that step-ca gives it, or the request is malformed.
func (b *requestBody) readParts() (*parts, *Problem) {
	p := &parts{}
	object := b.SSHCertificateRequest
	if isSet(b.SSHCertificate) {
		object = b.SSHCertificate
	}
	for _, member := range []struct {
		name string
		from jsontext.Value
		to   any
	}{
		{"authorizationPrincipal", b.AuthorizationPrincipal, &p.principal},
		{"x5cCertificate", b.X5CCertificate, &p.x5c},
		{"scepChallenge", b.SCEPChallenge, &p.challenge},
		{"scepTransactionID", b.SCEPTransactionID, &p.transactionID},
		{"scepErrorCode", b.SCEPErrorCode, &p.errorCode},
		{"scepErrorDescription", b.SCEPErrorDescription, &p.errorDescription},
		{"the SSH certificate", object, &p.ssh},
	} {
		if !isSet(member.from) {
			continue
		}
		if json.Unmarshal(member.from, member.to) != nil {
			return nil, problemf(codeMalformed, "decode body: %s has not the type that step-ca gives it", member.name) // its text may be the challenge
		}
	}
	return p, nil
}

// describe fills in what the parts say of the request.
func (p *parts) describe(into *posture.Request) {
	into.Principal = p.principal
	if p.transactionID != "" {
		into.SCEP = &posture.SCEPRequest{TransactionID: p.transactionID}
	}
	if p.x5c != nil {
		into.X5C = describeX5C(p.x5c.Raw)
	}
	if p.ssh != nil {
		p.ssh.describe(into)
	}
}

// describeX5C reads the certificate with which the client has authenticated. Of one that cannot be read nothing is known.
func describeX5C(der []byte) *posture.CertificateNames {
	names := &posture.CertificateNames{}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return names
	}
	list := certname.List{Typed: names}
	for _, name := range certname.CommonNames(cert.Subject) {
		list.Add(certname.CommonName, name, true)
	}
	for _, ext := range cert.Extensions {
		if ext.Id.String() == certname.SubjectAltName {
			list.AddExtension(ext.Value)
		}
	}
	list.Finish()
	names.SubjectSerialNumber = certname.Only(certname.SerialNumbers(cert.Subject))
	names.SerialNumber = hex.EncodeToString(cert.SerialNumber.Bytes())
	return names
}

func (o *sshObject) describe(into *posture.Request) {
	described := &posture.SSHRequest{Type: o.Type, KeyID: o.RequestID, Principals: o.Principals}
	if o.KeyID != "" {
		described.KeyID = o.KeyID
	}
	if o.RequestID != "" && o.KeyID != "" {
		described.KeyID = "" // fail closed: it is not known which of them step-ca takes
	}
	if described.Principals == nil {
		described.Principals = []string{}
	}
	if o.ValidBefore != nil {
		const year9999 = 253402300799 // RFC 3339 has no later second; a certificate that never expires has the greatest number
		described.ValidBefore = time.Unix(int64(min(*o.ValidBefore, year9999, math.MaxInt64)), 0).UTC()
	}
	into.SSH = described
	if key, err := ssh.ParsePublicKey(o.PublicKey); err == nil {
		if crypto, ok := key.(ssh.CryptoPublicKey); ok {
			into.KeyType, into.KeyBits = certname.DescribeKey(crypto.CryptoPublicKey())
		}
	}
	var names nameList
	if described.KeyID != "" {
		names.Add(certname.OtherKind, described.KeyID, true)
	}
	for _, principal := range described.Principals {
		names.Add(certname.OtherKind, principal, true)
	}
	into.Names = names.All()
}

package devicecert

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"step-posture-connector/internal/posture"
)

// oidProvisioner is step-ca's extension with the provisioner of a certificate. step-ca replaces one that a client or a template
// has written.
// https://pkg.go.dev/github.com/smallstep/certificates/authority/provisioner#StepOIDProvisioner
const oidProvisioner = "1.3.6.1.4.1.37476.9000.64.1"

// readProvisioner reads the extension: SEQUENCE { type INTEGER, name OCTET STRING, credentialID OCTET STRING, keyValuePairs
// SEQUENCE OPTIONAL }.
func (s *Shown) readProvisioner(der []byte) *Problem {
	input := cryptobyte.String(der)
	var content, name, credential, pairs cryptobyte.String
	var number int
	ok := input.ReadASN1(&content, asn1.SEQUENCE) && input.Empty() &&
		content.ReadASN1Integer(&number) && content.ReadASN1(&name, asn1.OCTET_STRING) && content.ReadASN1(&credential, asn1.OCTET_STRING) &&
		content.ReadOptionalASN1(&pairs, nil, asn1.SEQUENCE) && content.Empty()
	if !ok || len(name) == 0 {
		return untrusted("the provisioner's extension of the certificate cannot be read")
	}
	s.hasProvisioner, s.Names.Provisioner = true, string(name)
	if types := posture.IssuerTypes(); 0 < number && number < len(types) {
		s.Names.ProvisionerType = types[number]
	}
	return nil
}

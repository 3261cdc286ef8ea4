package webhook

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// shownBody is the body of Smallstep's RADIUS server: a certificate, and the DER of it. The DER alone is read, so that no form of
// what is beside it refuses a device, and nothing there says another thing of the device than what was signed. The other members
// are those by which a request of step-ca is told apart.
//
// https://smallstep.com/docs/tutorials/wifi-authentication-webhooks/
type shownBody struct {
	Timestamp       *string        `json:"timestamp"`
	X509Certificate jsontext.Value `json:"x509Certificate"`

	AttestationData        jsontext.Value `json:"attestationData"`
	X509CertificateRequest jsontext.Value `json:"x509CertificateRequest"`
	SSHCertificateRequest  jsontext.Value `json:"sshCertificateRequest"`
	SSHCertificate         jsontext.Value `json:"sshCertificate"`
	AuthorizationPrincipal jsontext.Value `json:"authorizationPrincipal"`
	X5CCertificate         jsontext.Value `json:"x5cCertificate"`
	SCEPChallenge          jsontext.Value `json:"scepChallenge"`
	SCEPTransactionID      jsontext.Value `json:"scepTransactionID"`
	SCEPErrorCode          jsontext.Value `json:"scepErrorCode"`
	SCEPErrorDescription   jsontext.Value `json:"scepErrorDescription"`
}

// ofCA reports whether a body has what only step-ca sends.
func (b *shownBody) ofCA() bool {
	for _, member := range []jsontext.Value{
		b.AttestationData, b.X509CertificateRequest, b.SSHCertificateRequest, b.SSHCertificate, b.AuthorizationPrincipal, b.X5CCertificate,
		b.SCEPChallenge, b.SCEPTransactionID, b.SCEPErrorCode, b.SCEPErrorDescription,
	} {
		if isSet(member) {
			return true
		}
	}
	return false
}

// decodeShown is decode for a body of Smallstep's RADIUS server. A body without a certificate is well formed: askShown refuses it.
func decodeShown(signed Signed, now time.Time, tolerance time.Duration) (*requestBody, *Problem) {
	if tooDeep(signed.raw) {
		return nil, problemf(codeMalformed, "JSON is nested deeper than %d levels", maxDepth-1)
	}
	read := shownBody{}
	if err := json.Unmarshal(signed.raw, &read); err != nil {
		return nil, problemf(codeMalformed, "decode body: %w", err)
	}
	body := &requestBody{Timestamp: read.Timestamp, isOfCA: read.ofCA()}
	if isSet(read.X509Certificate) {
		var der struct {
			Raw []byte `json:"raw"`
		}
		if read.X509Certificate.Kind() != '{' || json.Unmarshal(read.X509Certificate, &der) != nil {
			return nil, &Problem{codeMalformed, errors.New("decode body: x509Certificate is not an object whose raw is a certificate in base64")}
		}
		body.shown = der.Raw
	}
	return body.inTime(now, tolerance)
}

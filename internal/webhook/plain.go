package webhook

import (
	"bytes"
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// plainBody is what readPlainBody allocates, in one piece.
type plainBody struct {
	body        requestBody
	timestamp   string
	attestation attestationData
	request     certificateRequest
}

// readPlainBody reads a request of the plain kind: it has a CSR, it is compact JSON in ASCII without escapes, every member
// that is read has its type or is null, and it has no SANs and no extensions. For every other request ok is false,
// and the JSON library decides. The library accepts every body that is accepted here, and reads the same values.
// This reader takes a fifth of the time of the library, which was the most expensive step of a request.
func readPlainBody(raw []byte) (body *requestBody, ok bool) {
	if len(raw) > math.MaxUint16 || bytes.IndexByte(raw, '\\') >= 0 || !isPlainText(raw) {
		return nil, false
	}
	r := plainReader{text: raw}
	read := &plainBody{}
	own := r.open()
	for name, more := r.member(&own); more; name, more = r.member(&own) {
		switch string(name) {
		case "timestamp":
			if !r.null() {
				read.body.Timestamp, read.timestamp = &read.timestamp, string(r.quoted())
			}
		case "provisionerName":
			if !r.null() {
				read.body.ProvisionerName = string(r.quoted())
			}
		case "attestationData":
			if !r.null() {
				read.body.AttestationData = &read.attestation
				r.attestation(&read.attestation)
			}
		case "x509CertificateRequest":
			if !r.null() {
				read.body.X509CertificateRequest = &read.request
				r.request(&read.request)
			}
		case "x509Certificate":
			if !r.null() {
				return nil, false
			}
		case "sshCertificateRequest":
			r.onlyNull(&read.body.SSHCertificateRequest)
		case "sshCertificate":
			r.onlyNull(&read.body.SSHCertificate)
		case "authorizationPrincipal":
			r.onlyNull(&read.body.AuthorizationPrincipal)
		case "x5cCertificate":
			r.onlyNull(&read.body.X5CCertificate)
		case "scepChallenge":
			r.onlyNull(&read.body.SCEPChallenge)
		case "scepTransactionID":
			r.onlyNull(&read.body.SCEPTransactionID)
		case "scepErrorCode":
			r.onlyNull(&read.body.SCEPErrorCode)
		case "scepErrorDescription":
			r.onlyNull(&read.body.SCEPErrorDescription)
		default:
			r.skip(plainDepth)
		}
	}
	return &read.body, !r.failed && r.at == len(r.text)
}

func (r *plainReader) attestation(into *attestationData) {
	own := r.open()
	for name, more := r.member(&own); more; name, more = r.member(&own) {
		switch {
		case string(name) != "permanentIdentifier":
			r.skip(plainDepth)
		case !r.null():
			into.PermanentIdentifier = string(r.quoted())
		}
	}
}

func (r *plainReader) request(into *certificateRequest) {
	own := r.open()
	for name, more := r.member(&own); more; name, more = r.member(&own) {
		switch string(name) {
		case "raw":
			if !r.null() {
				into.Raw = r.base64()
			}
		case "sans":
			if !r.null() {
				r.take("[]")
				into.SANs = []san{}
			}
		case "extensions":
			if !r.null() {
				r.take("[]")
				into.Extensions = []extension{}
			}
		case "dnsNames":
			into.DNSNames = r.raw()
		case "emailAddresses":
			into.EmailAddresses = r.raw()
		case "ipAddresses":
			into.IPAddresses = r.raw()
		case "uris":
			into.URIs = r.raw()
		default:
			r.skip(plainDepth)
		}
	}
}

// onlyNull reads null; every other value is not plain.
func (r *plainReader) onlyNull(into *jsontext.Value) {
	if r.take("null"); !r.failed {
		*into = jsonNull
	}
}

// raw reads a value that is decoded later. The body may be gone then.
func (r *plainReader) raw() jsontext.Value {
	begin := r.at
	r.skip(plainDepth)
	switch raw := r.text[min(begin, r.at):r.at]; string(raw) {
	case "null":
		return jsonNull
	case "[]":
		return jsonEmpty
	default:
		return bytes.Clone(raw)
	}
}

// What the JSON library reads null and an empty list as, where a value is decoded later.
var (
	jsonNull  = jsontext.Value("null") //nolint:gochecknoglobals // one for all bodies, and nothing writes to it
	jsonEmpty = jsontext.Value("[]")   //nolint:gochecknoglobals // likewise
)

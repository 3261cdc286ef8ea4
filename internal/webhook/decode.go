package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// requestBody is the part of step-ca's RequestBody that the decision depends on; further members
// are ignored, because new versions of the CA add some. Member names are exact, and duplicate
// members and invalid UTF-8 are refused: with both, two readers can see two different requests.
//
// https://pkg.go.dev/github.com/smallstep/certificates/webhook#RequestBody
type requestBody struct {
	Timestamp       *string          `json:"timestamp"`
	ProvisionerName string           `json:"provisionerName"`
	AttestationData *attestationData `json:"attestationData"`

	// A request has exactly one of these; a notification of SCEP may have both of X.509.
	X509CertificateRequest *certificateRequest `json:"x509CertificateRequest"`
	X509Certificate        *certificate        `json:"x509Certificate"`
	SSHCertificateRequest  jsontext.Value      `json:"sshCertificateRequest"`
	SSHCertificate         jsontext.Value      `json:"sshCertificate"`

	// Only readParts reads these, so that their form refuses no request that is attested.
	AuthorizationPrincipal jsontext.Value `json:"authorizationPrincipal"`
	X5CCertificate         jsontext.Value `json:"x5cCertificate"`
	SCEPChallenge          jsontext.Value `json:"scepChallenge"`
	SCEPTransactionID      jsontext.Value `json:"scepTransactionID"`
	SCEPErrorCode          jsontext.Value `json:"scepErrorCode"`
	SCEPErrorDescription   jsontext.Value `json:"scepErrorDescription"`

	// Of a body of Smallstep's RADIUS server these are known alone: the certificate in DER, and whether step-ca has sent the body.
	shown  []byte
	isOfCA bool
}

type attestationData struct {
	PermanentIdentifier string `json:"permanentIdentifier"`
}

// certificateRequest is a CSR. Its JSON subject is not read: the DER in Raw decides.
type certificateRequest struct {
	Raw        []byte      `json:"raw"`
	SANs       []san       `json:"sans"`
	Extensions []extension `json:"extensions"`

	// Only describe reads these; see certificate.
	DNSNames       jsontext.Value `json:"dnsNames"`
	EmailAddresses jsontext.Value `json:"emailAddresses"`
	IPAddresses    jsontext.Value `json:"ipAddresses"`
	URIs           jsontext.Value `json:"uris"`

	contents csrContents // of Raw, when it was read
	wasRead  bool
}

// certificate is an X.509 certificate that step-ca is about to sign; it has no DER yet.
type certificate struct {
	Subject    subject     `json:"subject"`
	RawSubject []byte      `json:"rawSubject"` // DER; step-ca signs it unless it is empty
	Raw        []byte      `json:"raw"`        // DER, in a notification alone
	SANs       []san       `json:"sans"`
	Extensions []extension `json:"extensions"`

	// Only describe reads these, so that their form refuses no request where no policy asks.
	DNSNames       jsontext.Value `json:"dnsNames"`
	EmailAddresses jsontext.Value `json:"emailAddresses"`
	IPAddresses    jsontext.Value `json:"ipAddresses"`
	URIs           jsontext.Value `json:"uris"`
	PublicKey      jsontext.Value `json:"publicKey"` // PKIX DER
}

type subject struct {
	CommonName   string         `json:"commonName"`
	SerialNumber jsontext.Value `json:"serialNumber"` // only describe reads it
	ExtraNames   []struct {
		Type  string         `json:"type"` // dotted OID
		Value jsontext.Value `json:"value"`
	} `json:"extraNames"`
}

type san struct {
	Type      string         `json:"type"`
	Value     string         `json:"value"`
	ASN1Value jsontext.Value `json:"asn1Value"`
}

type extension struct {
	ID    string `json:"id"` // dotted OID
	Value []byte `json:"value"`
}

// decode reads a signed body and checks its form and its time: now may differ from the request's
// timestamp by tolerance, in both directions. notifies says that the webhook may send notifications, which have two objects.
func decode(signed Signed, now time.Time, tolerance time.Duration, notifies bool) (*requestBody, *Problem) {
	body, plain := readPlainBody(signed.raw)
	if !plain {
		if tooDeep(signed.raw) {
			return nil, problemf(codeMalformed, "JSON is nested deeper than %d levels", maxDepth-1)
		}
		body = &requestBody{}
		// Unmarshal also refuses data after the value.
		if err := json.Unmarshal(signed.raw, body); err != nil {
			return nil, problemf(codeMalformed, "decode body: %w", err)
		}
	}
	if err := body.countObjects(notifies); err != nil {
		return nil, &Problem{codeMalformed, err}
	}
	return body.inTime(now, tolerance)
}

// inTime compares the timestamp of a body with the clock. The body of an old request is returned with the problem, for the log.
func (b *requestBody) inTime(now time.Time, tolerance time.Duration) (*requestBody, *Problem) {
	p := b.checkTime(now, tolerance)
	if p != nil && p.Code == codeMalformed {
		return nil, p
	}
	return b, p
}

func (b *requestBody) checkTime(now time.Time, tolerance time.Duration) *Problem {
	if b.Timestamp == nil {
		return problemf(codeMalformed, "no timestamp")
	}
	timestamp, err := time.Parse(time.RFC3339Nano, *b.Timestamp)
	if err != nil {
		return problemf(codeMalformed, "the timestamp is not of the form of RFC 3339")
	}
	if age := now.Sub(timestamp); age.Abs() > tolerance {
		where := "past"
		if age < 0 {
			where = "future"
		}
		return problemf(codeRequestExpired, "the timestamp is %s in the %s, more than TIMESTAMP_TOLERANCE (%s); compare the clocks of step-ca and the connector",
			age.Abs().Round(time.Millisecond), where, tolerance)
	}
	return nil
}

// countObjects demands exactly one certificate object: with two, the connector could judge one
// and step-ca sign the other. A notification comes after the signature, and has both of X.509.
func (b *requestBody) countObjects(notifies bool) error {
	count := 0
	for _, there := range []bool{b.X509CertificateRequest != nil, b.X509Certificate != nil} {
		if there {
			count++
		}
	}
	if count == 2 && notifies && isSet(b.SCEPTransactionID) {
		count = 1
	}
	for _, object := range []jsontext.Value{b.SSHCertificateRequest, b.SSHCertificate} {
		if !isSet(object) {
			continue
		}
		if count++; object.Kind() != '{' {
			return errors.New("decode body: an SSH certificate is not an object")
		}
	}
	switch count {
	case 0:
		return errors.New("no certificate object")
	case 1:
		return nil
	default:
		return fmt.Errorf("%d certificate objects, want one", count)
	}
}

// isSet reports whether a member exists and is not null, as which step-ca writes what it does not have.
func isSet(value jsontext.Value) bool { return len(value) > 0 && value.Kind() != 'n' }

// tooDeep reports whether JSON is nested deeper than maxDepth. It counts brackets outside strings,
// which is exact for valid JSON; for any other text the decoder decides.
func tooDeep(raw []byte) bool {
	// So few brackets cannot be nested so deep, wherever they stand; counting them takes a hundredth of the time.
	if bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) <= maxDepth {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			if depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

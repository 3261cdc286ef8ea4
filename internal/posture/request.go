package posture

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Request is what is known about the request itself. Empty text, 0 and nil are unknown.
type Request struct {
	Door        string // one of Doors
	Caller      string // the name of the webhook, or its ID
	Kind        string // one of RequestKinds
	Provisioner string
	Mode        string // one of Modes
	Identifier  string
	KeyType     string // one of KeyTypes
	KeyBits     int64
	Names       []string // every name asked for

	// Principal is whom step-ca takes the requester for; what that is depends on the provisioner.
	Principal string
	// CSR is what the client asks for, Certificate what would be signed, or at a door what the device has shown, and X5C the
	// client's own certificate, which the CA verified. Each is nil where the request has none.
	CSR, Certificate, X5C *CertificateNames
	SSH                   *SSHRequest
	SCEP                  *SCEPRequest
	RADIUS                *RADIUSRequest // nil at every other door
	// URL are the parameters of the URL that was called, by name.
	URL map[string]string
}

// CertificateNames are the names in a certificate, or those that are asked for. A list is empty where there is none of its
// kind, and nil where it could not be read.
type CertificateNames struct {
	CommonName          string
	SubjectSerialNumber string // the attribute of the subject
	SerialNumber        string // of the certificate, in lower-case hex
	Emails              []string
	DNSNames            []string
	IPs                 []string
	URIs                []string

	// These are known of a certificate that a device has shown, and of no other.
	NotBefore, NotAfter time.Time
	Provisioner         string // its name, by step-ca's extension
	ProvisionerType     string // one of IssuerTypes
}

// SSHRequest is what an SSH certificate is asked for, or what would be signed.
type SSHRequest struct {
	Type        string // one of SSHTypes
	KeyID       string
	Principals  []string  // nil where they could not be read
	ValidBefore time.Time // known only of what would be signed
}

// SCEPRequest is what is known of a request by SCEP (RFC 8894). The challenge is a secret, and no part of it.
type SCEPRequest struct {
	TransactionID string // chosen by the client
}

// RADIUSRequest is what a RADIUS server says of a connection. It is the word of that server and of the access point.
type RADIUSRequest struct {
	NAS            string // the one NAS-Identifier, else the NAS-IP-Address, else the NAS-IPv6-Address (RFC 2865, RFC 3162)
	SSID           string // what Called-Station-Id has after its first colon (RFC 3580 section 3.20)
	CallingStation string // the MAC address of the device, as the access point saw it
}

// Accepts says which requests a webhook of step-ca sends.
type Accepts string

// What webhooks send. Only Attested proves which device asks.
const (
	Attested         Accepts = "attested"          // ACME device-attest-01
	X509             Accepts = "x509"              // an X.509 certificate, by any other provisioner
	SSHUser          Accepts = "ssh_user"          // an SSH user certificate
	SSHHost          Accepts = "ssh_host"          // an SSH host certificate
	SCEPChallenge    Accepts = "scep_challenge"    // whether a SCEP challenge is right
	SCEPNotification Accepts = "scep_notification" // what became of a request by SCEP
	RADIUS           Accepts = "radius"            // a device shows its certificate to Smallstep's RADIUS server
)

// AllAccepts are the words of Accepts.
func AllAccepts() []string {
	return []string{string(Attested), string(X509), string(SSHUser), string(SSHHost), string(SCEPChallenge), string(SCEPNotification), string(RADIUS)}
}

// The words of request.door: who asks.
const (
	WebhookDoor     = "webhook"      // step-ca, before it signs
	RADIUSDoor      = "radius"       // a RADIUS server, when a device connects
	ForwardAuthDoor = "forward_auth" // a web server, with each request of a device
)

// Doors are the words of request.door.
func Doors() []string { return []string{WebhookDoor, RADIUSDoor, ForwardAuthDoor} }

// The words of request.kind: what step-ca does next.
const (
	Enriching   = "enriching"      // render the template of the certificate
	Authorizing = "authorizing"    // sign
	Challenging = "scep_challenge" // accept a SCEP request
)

// RequestKinds are the words of request.kind.
func RequestKinds() []string { return []string{Enriching, Authorizing, Challenging} }

// Modes are the words of request.mode.
func Modes() []string { return []string{string(AnyDevice), string(Computer), string(MobileDevice)} }

// KeyTypes are the words of request.key_type.
func KeyTypes() []string { return []string{"EC", "RSA", "OKP"} }

// SSHTypes are the words of request.ssh.type.
func SSHTypes() []string { return []string{"user", "host"} }

// ProvisionerTypes are step-ca's types of provisioners that call webhooks, as ca.json spells them.
func ProvisionerTypes() []string {
	return []string{"ACME", "JWK", "OIDC", "X5C", "K8sSA", "AWS", "GCP", "Azure", "Nebula", "SCEP"}
}

// IssuerTypes are step-ca's types of provisioners in the order of the numbers that its extension has in a certificate; 0 is none.
// https://pkg.go.dev/github.com/smallstep/certificates/authority/provisioner#Type
func IssuerTypes() []string {
	return []string{"", "JWK", "OIDC", "GCP", "AWS", "Azure", "ACME", "X5C", "K8sSA", "SSHPOP", "SCEP", "Nebula"}
}

// maxRequested is the length of the longest identifier that an expression may give, in bytes.
const maxRequested = 512

// ParseRequested checks that text can identify whoever asks for a certificate: 1 to 512 bytes of printable characters without
// spaces at the ends. Unlike a permanent identifier it may be an e-mail address or a name with other letters than ASCII's.
// Its errors do not repeat text.
func ParseRequested(text string) (Identifier, error) {
	switch {
	case text == "":
		return Identifier{}, errors.New("it is empty")
	case len(text) > maxRequested:
		return Identifier{}, fmt.Errorf("it is longer than %d bytes", maxRequested)
	case !utf8.ValidString(text):
		return Identifier{}, errors.New("it is not UTF-8")
	case strings.TrimSpace(text) != text:
		return Identifier{}, errors.New("it begins or ends with a space")
	}
	for at, c := range text {
		if !unicode.IsPrint(c) {
			return Identifier{}, fmt.Errorf("it has %s at position %d, want printable characters only", describeCharacter(text[at:]), at+1)
		}
	}
	return Identifier{text: text, key: upperASCII(text)}, nil
}

package audit

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
)

// Recorded is a line of the audit log that was read: what was decided, and what it was decided on.
type Recorded struct {
	Time       time.Time `json:"time"`
	Reference  string    `json:"reference"`
	Decision   string    `json:"decision"`
	Event      string    `json:"event"` // empty of a decision
	Code       string    `json:"code"`
	Identifier string    `json:"identifier"`
	WebhookID  string    `json:"webhook_id"`
	// These are empty without a policy file.
	Policy    string   `json:"policy"`
	Inventory string   `json:"inventory"`
	Caller    string   `json:"caller"`
	Unmet     []string `json:"unmet"`

	Facts recordedFacts `json:"facts"`

	// Evidence is nil where the line has none: Lacks says why.
	Evidence *posture.Evidence `json:"-"`
	Lacks    string            `json:"-"`
}

// Allowed reports whether the device was allowed.
func (r *Recorded) Allowed() bool { return r.Decision == allowed }

// ErrFailed is the answer of an inventory that could not answer when the line was written.
var ErrFailed = errors.New("the inventory had not answered when the request was recorded")

var errNotOurs = errors.New("not a line of the audit log")

// What a line lacks, in words.
const (
	lacksFacts    = "the line has no facts: it was written without AUDIT_FACTS=1"
	lacksEvidence = "no inventory was asked"
)

// Reader reads lines of the audit log. It is safe for concurrent use.
type Reader struct {
	device, user map[string]*posture.Definition // by the quoted name
	options      json.Options
}

// NewReader makes a Reader.
func NewReader() *Reader {
	r := &Reader{}
	parts := newVocabulary().parts
	r.device, r.user = parts[0].quoted(), parts[1].quoted()
	// Without reflection, and without a map for each record: facts are most of a line.
	r.options = json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(func(from *jsontext.Decoder, to *devicePart) error {
			return (*recordedPart)(to).read(from, r.device)
		}),
		json.UnmarshalFromFunc(func(from *jsontext.Decoder, to *userPart) error {
			return (*recordedPart)(to).read(from, r.user)
		}),
	))
	return r
}

// Read reads a line. Its error does not repeat what is in it.
func (r *Reader) Read(text []byte) (*Recorded, error) {
	line := &Recorded{}
	if err := json.Unmarshal(text, line, r.options); err != nil {
		if wrong := (*factError)(nil); errors.As(err, &wrong) {
			return nil, wrong
		}
		return nil, errNotOurs
	}
	isDecision := line.Decision == allowed || line.Decision == denied
	if line.Time.IsZero() || line.Reference == "" && isDecision || isDecision == (line.Event != "") {
		return nil, errNotOurs
	}
	switch f := &line.Facts; {
	case !f.isSet:
		line.Lacks = lacksFacts
	case f.isNull:
		line.Lacks = lacksEvidence
	case f.LeftOut != "":
		line.Lacks = "the facts were left out of the line: " + Clean(f.LeftOut, maxShown)
	case f.Now.IsZero() || f.Records == nil:
		return nil, errors.New("the facts of the line have no time, or no records")
	default:
		line.Evidence = f.evidence()
	}
	line.Facts = recordedFacts{}
	return line, nil
}

// recordedFacts are the facts of a line.
type recordedFacts struct {
	LeftOut   string                    `json:"left_out"`
	Now       time.Time                 `json:"now"`
	ModeGiven bool                      `json:"mode_given"`
	Request   recordedRequest           `json:"request"`
	Records   map[string]recordedAnswer `json:"records"`

	isSet, isNull bool
}

// UnmarshalJSONFrom distinguishes null from a member that is missing.
func (f *recordedFacts) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	type members recordedFacts // without this method
	isNull := from.PeekKind() == 'n'
	err := json.UnmarshalDecode(from, (*members)(f)) // of null it makes the zero value
	f.isSet, f.isNull = true, isNull
	return err
}

type recordedRequest struct {
	Door        string   `json:"door"`
	Caller      string   `json:"caller"`
	Kind        string   `json:"kind"`
	Provisioner string   `json:"provisioner"`
	Mode        string   `json:"mode"`
	Identifier  string   `json:"identifier"`
	KeyType     string   `json:"key_type"`
	KeyBits     int64    `json:"key_bits"`
	Names       []string `json:"names"`

	Principal   string         `json:"principal"`
	CSR         *recordedNames `json:"csr"`
	Certificate *recordedNames `json:"certificate"`
	X5C         *recordedNames `json:"x5c"`
	SSH         *recordedSSH   `json:"ssh"`
	SCEP        *recordedSCEP  `json:"scep"`

	RADIUS *recordedRADIUS `json:"radius"`
}

type recordedNames struct {
	CommonName          string   `json:"common_name"`
	SubjectSerialNumber string   `json:"subject_serial_number"`
	SerialNumber        string   `json:"serial_number"`
	Emails              []string `json:"emails"`
	DNSNames            []string `json:"dns_names"`
	IPs                 []string `json:"ips"`
	URIs                []string `json:"uris"`

	NotBefore       time.Time `json:"not_before"`
	NotAfter        time.Time `json:"not_after"`
	Provisioner     string    `json:"provisioner"`
	ProvisionerType string    `json:"provisioner_type"`
}

type recordedSSH struct {
	Type        string    `json:"type"`
	KeyID       string    `json:"key_id"`
	Principals  []string  `json:"principals"`
	ValidBefore time.Time `json:"valid_before"`
}

type recordedSCEP struct {
	TransactionID string `json:"transaction_id"`
}

type recordedRADIUS struct {
	NAS            string `json:"nas"`
	SSID           string `json:"ssid"`
	CallingStation string `json:"calling_station"`
}

func (r *recordedRequest) request() posture.Request {
	return posture.Request{
		Door: r.Door, Caller: r.Caller, Kind: r.Kind, Provisioner: r.Provisioner, Mode: r.Mode, Identifier: r.Identifier,
		KeyType: r.KeyType, KeyBits: r.KeyBits, Names: r.Names, Principal: r.Principal,
		CSR: (*posture.CertificateNames)(r.CSR), Certificate: (*posture.CertificateNames)(r.Certificate), X5C: (*posture.CertificateNames)(r.X5C),
		SSH: (*posture.SSHRequest)(r.SSH), SCEP: (*posture.SCEPRequest)(r.SCEP), RADIUS: (*posture.RADIUSRequest)(r.RADIUS),
	}
}

type recordedAnswer struct {
	Answer string     `json:"answer"`
	Mode   string     `json:"mode"`
	Device devicePart `json:"device"`
	User   userPart   `json:"user"`
}

func (f *recordedFacts) evidence() *posture.Evidence {
	e := &posture.Evidence{Now: f.Now, Request: f.Request.request()}
	if f.ModeGiven {
		e.Given = posture.DeviceType(f.Request.Mode)
	}
	for name, answer := range f.Records {
		e.Put(answer.of(name))
	}
	return e
}

func (r recordedAnswer) of(inventory string) posture.Answer {
	a := posture.Answer{Inventory: inventory, Type: posture.DeviceType(r.Mode)}
	switch r.Answer {
	case answerFound:
		record := r.Device.record
		record.Facts.User = r.User.record.Facts.User
		a.Record, a.Asked = &record, r.Device.asked|r.User.asked
	case answerNotFound:
		a.Err = posture.ErrNotFound
	case answerForm:
		a.Err = posture.ErrIdentifier
	case answerAmbiguous:
		a.Err = posture.ErrAmbiguous
	default: // fail closed: of a word that is not known nothing can be concluded
		a.Err = ErrFailed
	}
	return a
}

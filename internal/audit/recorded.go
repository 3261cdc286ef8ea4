package audit

import (
	"errors"
	"fmt"
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
	Code       string    `json:"code"`
	Identifier string    `json:"identifier"`
	WebhookID  string    `json:"webhook_id"`
	// These are empty without a policy file.
	Policy    string   `json:"policy"`
	Inventory string   `json:"inventory"`
	Caller    string   `json:"caller"`
	Unmet     []string `json:"unmet"`

	RawFacts jsontext.Value `json:"facts"`

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
type Reader struct{ *vocabulary }

// NewReader makes a Reader.
func NewReader() *Reader { return &Reader{newVocabulary()} }

// Read reads a line. Its error does not repeat what is in it.
func (r *Reader) Read(text []byte) (*Recorded, error) {
	line := &Recorded{}
	if err := json.Unmarshal(text, line); err != nil {
		return nil, errNotOurs
	}
	if line.Time.IsZero() || line.Reference == "" || line.Decision != allowed && line.Decision != denied {
		return nil, errNotOurs
	}
	switch {
	case len(line.RawFacts) == 0:
		line.Lacks = lacksFacts
	case line.RawFacts.Kind() == 'n':
		line.Lacks = lacksEvidence
	default:
		if err := r.evidence(line); err != nil {
			return nil, err
		}
	}
	return line, nil
}

// recordedFacts are the facts of a line.
type recordedFacts struct {
	LeftOut   string                    `json:"left_out"`
	Now       time.Time                 `json:"now"`
	ModeGiven bool                      `json:"mode_given"`
	Request   recordedRequest           `json:"request"`
	Records   map[string]recordedAnswer `json:"records"`
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
}

type recordedAnswer struct {
	Answer string                    `json:"answer"`
	Mode   string                    `json:"mode"`
	Device map[string]jsontext.Value `json:"device"`
	User   map[string]jsontext.Value `json:"user"`
}

func (r *Reader) evidence(line *Recorded) error {
	var f recordedFacts
	if err := json.Unmarshal(line.RawFacts, &f); err != nil {
		return errors.New("the facts of the line cannot be read")
	}
	if f.LeftOut != "" {
		line.Lacks = "the facts were left out of the line: " + Clean(f.LeftOut, maxShown)
		return nil
	}
	if f.Now.IsZero() || f.Records == nil {
		return errors.New("the facts of the line have no time, or no records")
	}
	e := &posture.Evidence{Now: f.Now, Request: posture.Request(f.Request)}
	if f.ModeGiven {
		e.Given = posture.DeviceType(f.Request.Mode)
	}
	for name, answer := range f.Records {
		a, err := r.answer(name, answer)
		if err != nil {
			return err
		}
		e.Put(a)
	}
	line.Evidence = e
	return nil
}

func (r *Reader) answer(name string, recorded recordedAnswer) (posture.Answer, error) {
	a := posture.Answer{Inventory: name, Type: posture.DeviceType(recorded.Mode)}
	switch recorded.Answer {
	case answerFound:
	case answerNotFound:
		a.Err = posture.ErrNotFound
	case answerForm:
		a.Err = posture.ErrIdentifier
	case answerAmbiguous:
		a.Err = posture.ErrAmbiguous
	default: // fail closed: of a word that is not known nothing can be concluded
		a.Err = ErrFailed
	}
	if a.Err != nil {
		return a, nil
	}
	a.Record = &posture.Device{}
	for i, of := range [...]map[string]jsontext.Value{recorded.Device, recorded.User} {
		for name, d := range r.parts[i].all() {
			text, asked := of[name]
			if !asked {
				continue
			}
			a.Asked |= d.Set()
			if text.Kind() == 'n' {
				continue
			}
			value, err := readFact(d.Type, text)
			if err != nil {
				return a, fmt.Errorf("the fact %s of the line cannot be read", d.Name)
			}
			d.Put(a.Record, value)
		}
	}
	return a, nil
}

// readFact reads the value of a fact as factsWriter.fact writes it.
func readFact(t posture.FactType, text jsontext.Value) (any, error) {
	switch t {
	case posture.TextFact:
		return read[string](text)
	case posture.BoolFact:
		return read[bool](text)
	case posture.TimeFact:
		return read[time.Time](text)
	case posture.ListFact:
		return read[[]string](text)
	case posture.AttributesFact:
		return read[map[string]string](text)
	case posture.VersionFact:
		version, err := read[string](text)
		if err != nil {
			return nil, err
		}
		return posture.ParseVersion(version)
	}
	return nil, errNotOurs
}

func read[T any](text jsontext.Value) (value T, err error) {
	err = json.Unmarshal(text, &value)
	return value, err
}

package journal

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Facts are what a decision was made of. Their names are those that rules use.
type Facts struct {
	// LeftOut says why the line has no facts; empty where it has them.
	LeftOut string
	Now     time.Time // the time of the decision
	// ModeGiven says that the request has named the type of device, and not only the inventory's default.
	ModeGiven bool
	Request   []Fact   // such as request.mode and request.csr.common_name
	Records   []Record // what each inventory that was asked has answered, in the order in which they were asked
}

// Record is what an inventory has answered.
type Record struct {
	Inventory string
	Answer    string // found, not_found, identifier_invalid, ambiguous or failed
	Mode      string
	// Device and User have the facts that were asked for, such as device.os_version and user.email; none where nothing was found.
	Device, User []Fact
}

// Found reports whether the inventory has the device.
func (r *Record) Found() bool { return r.Answer == "found" }

// Fact is one fact by its name. Values has one text, or those of a list.
type Fact struct {
	Name   string
	Values []string
	Known  bool // false where the inventory, or the request, does not say it
	List   bool // a list, which may be empty
}

// Text is the value for people, in one line. It has what inventories and clients chose.
func (f Fact) Text() string {
	switch {
	case !f.Known:
		return "unknown"
	case len(f.Values) == 0:
		return "none"
	}
	return strings.Join(f.Values, ", ")
}

// maxDepth is how many objects of a request are read within each other; what is below is shown as JSON. There are two.
const maxDepth = 4

var errFacts = errors.New("the facts cannot be read")

// ParseFacts reads the facts of a line; nil where it has none, as null says. Members that are not known are those of a later
// version, and left out.
func ParseFacts(text []byte) (*Facts, error) {
	from := factsReader{jsontext.NewDecoder(bytes.NewReader(text))}
	if from.PeekKind() == 'n' && string(bytes.TrimSpace(text)) == "null" {
		return nil, nil //nolint:nilnil // null is a value of its own
	}
	f := &Facts{}
	err := from.members(func(name string) (err error) {
		switch name {
		case "left_out":
			f.LeftOut, err = from.text()
		case "now":
			f.Now, err = from.moment()
		case "mode_given":
			f.ModeGiven, err = from.bool()
		case "request":
			f.Request, err = from.facts("request")
		case "records":
			err = from.members(func(inventory string) error {
				record, err := from.record(inventory)
				f.Records = append(f.Records, record)
				return err
			})
		default:
			err = from.SkipValue()
		}
		return err
	})
	if err == nil {
		if _, errEnd := from.ReadToken(); !errors.Is(errEnd, io.EOF) {
			err = errFacts
		}
	}
	if err != nil {
		return f, errFacts // without what the decoder says: it may repeat a part of them
	}
	return f, nil
}

// factsReader reads JSON without reflection, and keeps the order of members.
type factsReader struct{ *jsontext.Decoder }

// members calls each for the members of an object; each reads the value.
func (r factsReader) members(each func(name string) error) error {
	if r.PeekKind() != '{' {
		return errFacts
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for r.PeekKind() == '"' {
		name, err := r.text()
		if err != nil {
			return err
		}
		if err := each(name); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

func (r factsReader) record(inventory string) (Record, error) {
	record := Record{Inventory: inventory}
	err := r.members(func(name string) (err error) {
		switch name {
		case "answer":
			record.Answer, err = r.text()
		case "mode":
			record.Mode, err = r.text()
		case "device":
			record.Device, err = r.facts("device")
		case "user":
			record.User, err = r.facts("user")
		default: // found is what the answer says too
			err = r.SkipValue()
		}
		return err
	})
	return record, err
}

// facts reads the members of an object as facts, by their whole names.
func (r factsReader) facts(of string) (facts []Fact, err error) {
	err = r.members(func(name string) error {
		name = of + "." + name
		inRequest := strings.HasPrefix(name, "request.")
		if r.PeekKind() != '{' || inRequest && strings.Count(name, ".") > maxDepth {
			fact, err := r.fact(name)
			facts = append(facts, fact)
			return err
		}
		if inRequest {
			inner, err := r.facts(name)
			facts = append(facts, inner...)
			return err
		}
		return r.members(func(key string) error { // attributes, whose names an inventory chose
			fact, err := r.fact(name + "[" + strconv.Quote(key) + "]")
			facts = append(facts, fact)
			return err
		})
	})
	return facts, err
}

func (r factsReader) fact(name string) (Fact, error) {
	fact := Fact{Name: name, Known: true}
	switch r.PeekKind() {
	case 'n':
		fact.Known = false
		return fact, r.SkipValue()
	case '[':
		fact.List = true
		if _, err := r.ReadToken(); err != nil {
			return fact, err
		}
		for kind := r.PeekKind(); kind != ']' && kind != 0; kind = r.PeekKind() {
			text, err := r.text()
			if err != nil {
				return fact, err
			}
			fact.Values = append(fact.Values, text)
		}
		_, err := r.ReadToken()
		return fact, err
	default:
		text, err := r.text()
		fact.Values = []string{text}
		return fact, err
	}
}

// text reads a value that is no list; one of an unknown kind as its JSON.
func (r factsReader) text() (string, error) {
	switch r.PeekKind() {
	case 'n', '"':
		token, err := r.ReadToken()
		if err != nil || token.Kind() == 'n' {
			return "", err
		}
		return token.String(), nil
	default:
		value, err := r.ReadValue()
		return string(value), err
	}
}

func (r factsReader) bool() (bool, error) {
	text, err := r.text()
	return text == "true", err
}

func (r factsReader) moment() (time.Time, error) {
	text, err := r.text()
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, text)
}

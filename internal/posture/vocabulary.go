package posture

import (
	"slices"
	"time"
)

// FactType is the type of a fact's value.
type FactType int

// The types of facts. The comment names the type that Definition.Get returns.
const (
	TextFact       FactType = iota + 1 // string
	BoolFact                           // bool
	VersionFact                        // Version
	TimeFact                           // time.Time
	ListFact                           // []string
	AttributesFact                     // map[string]string
)

// FactSet is a set of facts: those that rules and data read, and so those that an inventory must be asked for.
type FactSet uint32

// Document is the inventory's own data for the certificate, Device.Data, in a FactSet.
const Document FactSet = 1 << 31

// AllFacts returns the set of all facts of the vocabulary.
func AllFacts() (all FactSet) {
	for _, d := range Vocabulary() {
		all |= d.Set()
	}
	return all
}

// MustFacts returns the set of the named facts. It panics where one does not exist: names are written into the source.
func MustFacts(names ...string) (facts FactSet) {
	all := Vocabulary()
	for _, name := range names {
		i := slices.IndexFunc(all, func(d *Definition) bool { return d.Name == name })
		if i < 0 {
			panic("no such fact: " + name)
		}
		facts |= all[i].Set()
	}
	return facts
}

// WithoutPolicy returns what is asked for without a policy file, which says what is read.
func WithoutPolicy() FactSet {
	return Document | MustFacts("device.groups", "user.username", "user.realname", "user.email_address", "user.position", "user.department")
}

// Has reports whether all facts of t are in s.
func (s FactSet) Has(t FactSet) bool { return s&t == t }

// Names returns the names of the facts in s, in the order of the vocabulary.
func (s FactSet) Names() []string {
	var names []string
	for _, d := range Vocabulary() {
		if s.Has(d.Set()) {
			names = append(names, d.Name)
		}
	}
	return names
}

// Definition describes one fact of the vocabulary.
type Definition struct {
	Name  string // "device.os_version"
	Type  FactType
	Words []string // the values that a TextFact may have; nil means any
	get   func(*Device) (any, bool)
	text  func(*Device) (string, bool) // of a TextFact, in place of get
	of    any                          // func(*Device) *Fact[T]; nil where the value is elsewhere
	set   func(*Device, any)
	index int
}

// Set is the set of this one fact.
func (d *Definition) Set() FactSet { return 1 << d.index }

// Get returns the fact's value in r, and whether it is known. Text that is empty, or that is
// none of the fact's words, is unknown, also where a provider has made it known.
func (d *Definition) Get(r *Device) (value any, known bool) {
	if d.text != nil {
		if text, ok := d.Text(r); ok {
			return text, true
		}
		return nil, false
	}
	if value, known = d.get(r); known {
		return value, true
	}
	return nil, false
}

// Text is Get of a TextFact, without a copy of the text for an any. Any other fact is unknown.
func (d *Definition) Text(r *Device) (text string, known bool) {
	if d.text == nil {
		return "", false
	}
	text, known = d.text(r)
	if !known || text == "" || d.Words != nil && !slices.Contains(d.Words, text) {
		return "", false
	}
	return text, true
}

// ValueOf is Get of a fact of the type T that is no TextFact, without a copy of the value for an any. Any other fact is
// unknown.
func ValueOf[T any](d *Definition, r *Device) (value T, known bool) {
	of, ok := d.of.(func(*Device) *Fact[T])
	if !ok || d.text != nil {
		return value, false
	}
	return of(r).Get()
}

// Put makes value the fact's known value in r. A value of another type than Definition.Type says is ignored.
func (d *Definition) Put(r *Device, value any) { d.set(r, value) }

// fact defines a fact by where it is in a record.
func fact[T any](name string, t FactType, of func(*Device) *Fact[T], words ...string) *Definition {
	d := &Definition{
		Name: name, Type: t, Words: words, of: of,
		get: func(r *Device) (any, bool) { return of(r).Get() },
		set: func(r *Device, value any) {
			if v, ok := value.(T); ok {
				*of(r) = Known(v)
			}
		},
	}
	if text, ok := any(of).(func(*Device) *Fact[string]); ok {
		d.text = func(r *Device) (string, bool) { return text(r).Get() }
	}
	return d
}

// Vocabulary returns the definitions of all facts. It is the only list of them: policies, files, documents and logs
// follow it.
func Vocabulary() []*Definition {
	all := []*Definition{
		{
			Name: "device.identifier", Type: TextFact,
			text: func(r *Device) (string, bool) { return r.Identifier, true },
			set:  func(r *Device, value any) { r.Identifier, _ = value.(string) },
		},
		fact("device.serial_number", TextFact, func(r *Device) *Fact[string] { return &r.Facts.SerialNumber }),
		fact("device.udid", TextFact, func(r *Device) *Fact[string] { return &r.Facts.UDID }),
		fact("device.name", TextFact, func(r *Device) *Fact[string] { return &r.Facts.Name }),
		fact("device.model", TextFact, func(r *Device) *Fact[string] { return &r.Facts.Model }),
		{
			Name: "device.type", Type: TextFact, Words: DeviceTypes(),
			text: func(r *Device) (string, bool) { return string(r.Type), true },
			set:  func(r *Device, value any) { text, _ := value.(string); r.Type = DeviceType(text) },
		},
		fact("device.os", TextFact, func(r *Device) *Fact[string] { return &r.Facts.OS }, OperatingSystems()...),
		fact("device.os_version", VersionFact, func(r *Device) *Fact[Version] { return &r.Facts.OSVersion }),
		fact("device.managed", BoolFact, func(r *Device) *Fact[bool] { return &r.Facts.Managed }),
		fact("device.supervised", BoolFact, func(r *Device) *Fact[bool] { return &r.Facts.Supervised }),
		fact("device.compliant", BoolFact, func(r *Device) *Fact[bool] { return &r.Facts.Compliant }),
		fact("device.encrypted", BoolFact, func(r *Device) *Fact[bool] { return &r.Facts.Encrypted }),
		fact("device.ownership", TextFact, func(r *Device) *Fact[string] { return &r.Facts.Ownership }, Ownerships()...),
		fact("device.last_seen", TimeFact, func(r *Device) *Fact[time.Time] { return &r.Facts.LastSeen }),
		fact("device.enrolled_at", TimeFact, func(r *Device) *Fact[time.Time] { return &r.Facts.EnrolledAt }),
		fact("device.groups", ListFact, func(r *Device) *Fact[[]string] { return &r.Facts.Groups }),
		fact("device.attributes", AttributesFact, func(r *Device) *Fact[map[string]string] { return &r.Facts.Attributes }),
		fact("user.username", TextFact, func(r *Device) *Fact[string] { return &r.Facts.User.Username }),
		fact("user.realname", TextFact, func(r *Device) *Fact[string] { return &r.Facts.User.RealName }),
		fact("user.email_address", TextFact, func(r *Device) *Fact[string] { return &r.Facts.User.EmailAddress }),
		fact("user.position", TextFact, func(r *Device) *Fact[string] { return &r.Facts.User.Position }),
		fact("user.department", TextFact, func(r *Device) *Fact[string] { return &r.Facts.User.Department }),
	}
	for i, d := range all {
		d.index = i
	}
	return all
}

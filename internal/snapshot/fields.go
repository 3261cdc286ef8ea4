package snapshot

import (
	"time"

	"step-posture-connector/internal/posture"
)

// fields are the facts of a device by the type of their value, in the order of the vocabulary: so they are in a row.
// Identifier, type, version, groups and attributes are apart.
type fields struct {
	texts []field[string]
	flags []field[bool]
	times []field[time.Time]

	// vocabulary has all definitions, for the file.
	vocabulary []*posture.Definition

	identifier, kind, version, groups, attributes posture.FactSet
	// always is fetched whatever policies read.
	always posture.FactSet
}

// field is one fact.
type field[T any] struct {
	name string
	set  posture.FactSet
	of   func(*posture.Device) *posture.Fact[T]
}

func newFields() *fields {
	text := func(name string, of func(*posture.Device) *posture.Fact[string]) field[string] {
		return field[string]{name, posture.MustFacts(name), of}
	}
	flag := func(name string, of func(*posture.Device) *posture.Fact[bool]) field[bool] {
		return field[bool]{name, posture.MustFacts(name), of}
	}
	moment := func(name string, of func(*posture.Device) *posture.Fact[time.Time]) field[time.Time] {
		return field[time.Time]{name, posture.MustFacts(name), of}
	}
	return &fields{
		vocabulary: posture.Vocabulary(),
		texts: []field[string]{
			text("device.serial_number", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.SerialNumber }),
			text("device.udid", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.UDID }),
			text("device.name", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.Name }),
			text("device.model", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.Model }),
			text("device.os", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.OS }),
			text("device.ownership", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.Ownership }),
			text("user.username", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.User.Username }),
			text("user.realname", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.User.RealName }),
			text("user.email_address", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.User.EmailAddress }),
			text("user.position", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.User.Position }),
			text("user.department", func(d *posture.Device) *posture.Fact[string] { return &d.Facts.User.Department }),
		},
		flags: []field[bool]{
			flag("device.managed", func(d *posture.Device) *posture.Fact[bool] { return &d.Facts.Managed }),
			flag("device.supervised", func(d *posture.Device) *posture.Fact[bool] { return &d.Facts.Supervised }),
			flag("device.compliant", func(d *posture.Device) *posture.Fact[bool] { return &d.Facts.Compliant }),
			flag("device.encrypted", func(d *posture.Device) *posture.Fact[bool] { return &d.Facts.Encrypted }),
		},
		times: []field[time.Time]{
			moment("device.last_seen", func(d *posture.Device) *posture.Fact[time.Time] { return &d.Facts.LastSeen }),
			moment("device.enrolled_at", func(d *posture.Device) *posture.Fact[time.Time] { return &d.Facts.EnrolledAt }),
		},
		identifier: posture.MustFacts("device.identifier"),
		kind:       posture.MustFacts("device.type"),
		version:    posture.MustFacts("device.os_version"),
		groups:     posture.MustFacts("device.groups"),
		attributes: posture.MustFacts("device.attributes"),
		always:     posture.MustFacts("device.identifier", "device.managed", "device.type"),
	}
}

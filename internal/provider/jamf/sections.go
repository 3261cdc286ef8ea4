package jamf

import "step-posture-connector/internal/posture"

// section is a part of a record of the Pro API. One that no fact needs, because facts is empty, is asked for always: it
// says which device it is, and whether it is managed.
type section struct {
	name  string
	facts posture.FactSet
}

// reading knows which facts need which parts of Jamf's answer. The sets are made once, and not for each lookup.
type reading struct {
	computers, mobileDevices []section

	withoutPolicy posture.FactSet // what a lookup without a policy file asks for
	document      posture.FactSet // what the data for the certificate hold
	groups        posture.FactSet
	department    posture.FactSet
}

func newReading() *reading {
	user := posture.MustFacts("user.username", "user.realname", "user.email_address", "user.position", "user.department")
	attributes := posture.MustFacts("device.attributes")
	r := &reading{
		withoutPolicy: posture.WithoutPolicy(), document: posture.WithoutPolicy() &^ posture.Document,
		groups: posture.MustFacts("device.groups"), department: posture.MustFacts("user.department"),
	}
	// An administrator chooses for each extension attribute in which section Jamf shows it.
	r.computers = []section{
		{"GENERAL", 0},
		{"HARDWARE", 0},
		{"USER_AND_LOCATION", user | attributes},
		{"GROUP_MEMBERSHIPS", r.groups},
		{"OPERATING_SYSTEM", posture.MustFacts("device.os", "device.os_version", "device.encrypted") | attributes},
		{"DISK_ENCRYPTION", posture.MustFacts("device.encrypted")},
		{"PURCHASING", attributes},
		{"EXTENSION_ATTRIBUTES", attributes},
	}
	r.mobileDevices = []section{
		{"GENERAL", 0},
		{"HARDWARE", 0},
		{"USER_AND_LOCATION", user | attributes},
		{"GROUPS", r.groups},
		{"SECURITY", posture.MustFacts("device.encrypted")},
		{"PURCHASING", attributes},
		{"EXTENSION_ATTRIBUTES", attributes},
	}
	return r
}

// sectionsFor returns the names of the sections that the facts need.
func sectionsFor(all []section, facts posture.FactSet) []string {
	names := make([]string, 0, len(all))
	for _, s := range all {
		if s.facts == 0 || s.facts&facts != 0 {
			names = append(names, s.name)
		}
	}
	return names
}

// query is a lookup of one type of device.
type query struct {
	id   posture.Identifier
	of   posture.DeviceType
	need posture.FactSet // what Jamf is asked for
	// department says that the name of a computer's department is wanted. With mustHaveDepartment a policy reads it: the
	// lookup fails where the name cannot be asked for. Otherwise it only fills a field of the data.
	department, mustHaveDepartment bool
}

// query returns what Jamf is asked for about devices of a type.
func (p *Provider) query(q posture.Query, of posture.DeviceType) query {
	ask := query{id: q.Identifier, of: of, need: q.Facts}
	enriches := q.Facts.Has(posture.Document) && p.enriches(of)
	if enriches {
		ask.need |= p.reading.document
	}
	if p.groupOf(of) != "" {
		ask.need |= p.reading.groups
	}
	if of == posture.Computer {
		read := q.Facts &^ q.Recorded
		ask.mustHaveDepartment = p.hasPolicy(q) && read.Has(p.reading.department)
		ask.department = ask.mustHaveDepartment || enriches || q.Recorded.Has(p.reading.department)
	}
	return ask
}

// hasPolicy reports whether a policy file says what q reads. Without one, a lookup answers as it did before there were
// policy files.
func (p *Provider) hasPolicy(q posture.Query) bool {
	return p.config.facts || q.Facts&^q.Recorded != p.reading.withoutPolicy
}

func (p *Provider) groupOf(of posture.DeviceType) string {
	if of == posture.Computer {
		return p.config.ComputerGroup
	}
	return p.config.DeviceGroup
}

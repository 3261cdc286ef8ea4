package snapshot

import (
	"time"

	"step-posture-connector/internal/posture"
)

// record is a device of a modelServer as it was for some time. The name is another one after each change.
type record struct {
	id             string
	list, kind     posture.DeviceType
	managed, staff bool
	damaged        bool
	name           string
}

func (r *record) device() posture.Device {
	d := posture.Device{Identifier: r.id, Type: r.kind}
	d.Facts.Managed, d.Facts.Name, d.Facts.Groups = posture.Known(r.managed), posture.Known(r.name), posture.Known([]string{})
	if r.staff {
		d.Facts.Groups = posture.Known([]string{"staff"})
	}
	return d
}

// given is what one fetch of one list got, by the server's own account: it is the log that the bounds are checked with.
type given struct {
	list    posture.DeviceType
	account string
	begun   moment // of the first request, by the clocks
	at      time.Duration
	ended   time.Duration
	lineage int // of keepers that can have its copy in memory
	facts   posture.FactSet
	records map[string][]*record // in the order in which they were given
	count   int
	total   int
	failed  bool
	// phantom says that the list had, from its beginning until now, a device that no lookup finds.
	phantom bool
	// refused says that it must not be adopted, and unsure that it may have been or not.
	refused, unsure bool
}

// seen is what a lookup has answered about a device: one record, several, or none.
type seen struct {
	mode    posture.DeviceType
	at      time.Duration
	account string
	record  *record
	several bool
	facts   posture.FactSet
}

// faults of lists.
const (
	healthy = iota
	failsAtFirst
	failsInTheMiddle
	givesHalf
	givesNothing
	hasNoTotal
	totalIsMore
	listsPhantoms
	lacksNames
	faults // how many there are
)

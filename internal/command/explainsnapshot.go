package command

import (
	"time"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
)

// snapshotPart is what the daemon answers from its snapshots.
type snapshotPart struct {
	// Allows says that they allow the device; null where the daemon has none in files.
	Allows *bool `json:"allows"`
	// Until is when the first of those that allow it is too old.
	Until *time.Time     `json:"until,omitempty"`
	Lists []snapshotList `json:"lists,omitempty"`
	// InMemory are the inventories whose snapshot only the running daemon has.
	InMemory []string `json:"in_memory,omitempty"`

	described []string
}

// snapshotList is one list of a snapshot in a file.
type snapshotList struct {
	Inventory string             `json:"inventory"`
	List      posture.DeviceType `json:"list,omitempty"`
	Usable    bool               `json:"usable"`
	Devices   int                `json:"devices"`
	BegunAt   *time.Time         `json:"begun_at,omitempty"`
	Until     *time.Time         `json:"until,omitempty"`
}

// snapshotOf is nil where no inventory of the policy has a snapshot.
func snapshotOf(x daemon.Explanation) *snapshotPart {
	if x.FromCopies == nil && len(x.CopiesInMemory) == 0 {
		return nil
	}
	s := &snapshotPart{InMemory: x.CopiesInMemory}
	if x.FromCopies != nil {
		s.Allows = &x.FromCopies.Allowed
		if x.FromCopies.Allowed {
			s.Until = wholeSeconds(x.FromCopies.Until)
		}
	}
	for _, c := range x.Copies {
		l := snapshotList{Inventory: c.Inventory, List: c.List, Usable: c.Usable, Devices: c.Devices}
		if !c.Begun.IsZero() {
			l.BegunAt, l.Until = wholeSeconds(c.Begun), wholeSeconds(c.Until)
		}
		s.Lists = append(s.Lists, l)
		s.described = append(s.described, c.Describe())
	}
	return s
}

func wholeSeconds(at time.Time) *time.Time {
	at = at.UTC().Truncate(time.Second)
	return &at
}

// lines say it to people.
func (s *snapshotPart) lines() (lines []string) {
	if s == nil {
		return nil
	}
	switch {
	case s.Allows == nil:
	case *s.Allows:
		lines = append(lines, "from its snapshots, the daemon allows the device until "+s.Until.Format(time.RFC3339))
	default:
		lines = append(lines, "from its snapshots, the daemon does not allow the device: it asks the inventories")
	}
	lines = append(lines, s.described...)
	for _, name := range s.InMemory {
		lines = append(lines, "snapshot of inventory "+name+": in the memory of the daemon only; step_posture_snapshot_age_seconds says how old it is")
	}
	return lines
}

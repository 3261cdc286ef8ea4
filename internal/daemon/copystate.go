package daemon

import (
	"fmt"
	"strings"
	"time"

	"step-posture-connector/internal/health"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/snapshot"
)

// checkCopies is what /readyz reports about copies: one whose fetch has failed or was not adopted, or that is too old.
func (s *service) checkCopies() (health.Status, string) {
	var wrong []string
	for _, i := range s.live.Load().inventories {
		if i.keeper == nil {
			continue
		}
		for _, list := range i.keeper.Status() {
			if text := wrongWith(list); text != "" {
				wrong = append(wrong, "inventory "+i.Name+": "+text)
			}
		}
	}
	if len(wrong) == 0 {
		return health.OK, ""
	}
	return health.Degraded, strings.Join(wrong, "; ")
}

// wrongWith says what is wrong with a list, and until when it answers all the same. That the first fetch has not ended yet
// is nothing wrong.
func wrongWith(list snapshot.Status) string {
	text := listName(list.List)
	switch {
	case list.Err != nil:
		text += "the last fetch was not adopted: " + oneLine(list.Err)
	case !list.Usable && !list.Begun.IsZero():
		text += "no fetch has replaced the snapshot"
	default:
		return ""
	}
	if list.Usable {
		return text + "; the snapshot of " + moment(list.Begun) + " answers until " + moment(list.Until)
	}
	return text + "; there is no snapshot that answers: the inventory is asked about every device"
}

// listName names a list before what is said about it; an inventory that has one list needs no name.
func listName(list posture.DeviceType) string {
	switch list {
	case "":
		return ""
	case posture.Computer:
		return "computers: "
	case posture.MobileDevice:
		return "mobile devices: "
	default:
		return string(list) + ": "
	}
}

// withoutZeros is a duration such as 15m or 2h.
func withoutZeros(d time.Duration) string {
	text := d.String()
	if cut, is := strings.CutSuffix(text, "m0s"); is {
		text = cut + "m"
	}
	if cut, is := strings.CutSuffix(text, "h0m"); is {
		text = cut + "h"
	}
	return text
}

func moment(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// CopyState is a list of a copy, as the daemon that keeps it has left it in a file.
type CopyState struct {
	Inventory string
	snapshot.Status
}

// Describe says in one line what the copy answers, and until when.
func (c CopyState) Describe() string {
	text := "snapshot of inventory " + c.Inventory + ": " + listName(c.List)
	switch {
	case c.Begun.IsZero():
		return text + "there is none in its file; every device is asked live"
	case !c.Usable:
		return fmt.Sprintf("%sthat of %s is too old; every device is asked live", text, moment(c.Begun))
	}
	devices := fmt.Sprintf("%d devices", c.Devices)
	if c.Devices == 1 {
		devices = "1 device"
	}
	return fmt.Sprintf("%s%s as of %s; where it allows a device, it answers until %s", text, devices, moment(c.Begun), moment(c.Until))
}

// Copies are the copies beside inventories that are kept in files. InMemory are the inventories whose copies are not: only
// the daemon that runs has them.
func (i *Inventory) Copies() (copies []CopyState, inMemory []string) {
	for _, of := range i.current.inventories {
		switch {
		case of.keeper == nil:
		case of.Snapshot.Path == "":
			inMemory = append(inMemory, of.Name)
		default:
			for _, list := range of.keeper.Status() {
				copies = append(copies, CopyState{of.Name, list})
			}
		}
	}
	return copies, inMemory
}

// describeCopies says how copies are kept, and what those in files answer.
func (g *generation) describeCopies() (lines []string) {
	for _, i := range g.inventories {
		if i.keeper == nil {
			continue
		}
		line := fmt.Sprintf("snapshot of inventory %s: fetched every %s, answers for %s, ", i.Name, withoutZeros(i.Snapshot.Every), withoutZeros(i.Snapshot.MaxAge))
		if i.Snapshot.Path == "" {
			lines = append(lines, line+"in the memory of the daemon only: step_posture_snapshot_age_seconds says how old it is")
			continue
		}
		lines = append(lines, line+"in "+i.Snapshot.Path)
	}
	copies, _ := (&Inventory{current: g}).Copies()
	for _, c := range copies {
		lines = append(lines, c.Describe())
	}
	return lines
}

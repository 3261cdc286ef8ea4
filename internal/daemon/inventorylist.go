package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
)

// LoadInventories is LoadProvider for what lists inventories. Facts are read also without a policy file: an export is for
// a policy that reads them.
func LoadInventories(environ config.Environment) (*Inventory, error) {
	return loadByHand(environ, true)
}

// InventoryNames are the names of all inventories, in order.
func (i *Inventory) InventoryNames() (names []string) {
	for _, one := range i.current.inventories {
		names = append(names, one.Name)
	}
	return names
}

// Lister returns what lists the devices of an inventory. An error says which names are accepted, or why the devices of this
// one cannot be listed.
func (i *Inventory) Lister(name string) (posture.Lister, error) {
	for _, one := range i.current.inventories {
		if one.Name != name {
			continue
		}
		lister, ok := one.Provider.(posture.Lister)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s cannot list its devices", one.title())
		case len(lister.Lists()) == 0:
			return nil, fmt.Errorf("%s cannot list its devices as it is configured; its page in the documentation says what it needs", one.title())
		}
		return lister, nil
	}
	return nil, &UnknownInventoryError{unknownName(name, "inventory", i.InventoryNames())}
}

// UnknownInventoryError means that there is no inventory of a name.
type UnknownInventoryError struct{ cause error }

func (e *UnknownInventoryError) Error() string { return e.cause.Error() }

func (e *UnknownInventoryError) Unwrap() error { return e.cause }

// AskedAs says from where the daemon answers.
type AskedAs string

// From where the daemon answers.
const (
	InMemory AskedAs = "memory" // all devices are in memory
	Copied   AskedAs = "copy"   // there is a copy, which is usable
	NoCopy   AskedAs = "none"   // a copy is kept in a file, and none there is usable now
	CopyOnly AskedAs = "hidden" // a copy is kept in the memory of the daemon only
	Live     AskedAs = "live"   // no copy is kept
)

// InventoryStatus is what an inventory is like at present.
type InventoryStatus struct {
	Name, Kind string
	Asked      AskedAs
	// Devices are those in memory, or of the copy in its file. Age is that of the file or the copy, and Until when the copy
	// is too old. They are set for InMemory and Copied only.
	Devices int
	Age     time.Duration
	Until   time.Time
	// Found and Warnings are what the check says, and Err is why it failed.
	Found    string
	Warnings []string
	Err      error
}

// Statuses checks every inventory once, all at the same time, and looks at the files of their copies.
func (i *Inventory) Statuses(ctx context.Context) []InventoryStatus {
	all := make([]InventoryStatus, len(i.current.inventories))
	var running sync.WaitGroup
	for n, one := range i.current.inventories {
		running.Go(func() { all[n] = i.current.status(ctx, one, time.Now()) })
	}
	running.Wait()
	return all
}

// status is that of one inventory.
func (g *generation) status(ctx context.Context, i *inventory, now time.Time) InventoryStatus {
	s := InventoryStatus{Name: i.Name, Kind: i.Kind, Asked: Live}
	found, warnings, err := (&generation{inventories: []*inventory{i}}).check(ctx)
	s.Warnings = warnings
	for _, line := range found {
		s.Found = strings.TrimPrefix(strings.TrimPrefix(line, i.title()), ": ")
	}
	if s.Err = err; err != nil {
		if of := (*checkError)(nil); errors.As(err, &of) {
			s.Err = of.cause
		}
		return g.copyOf(s, i)
	}
	if _, inMemory := i.Provider.(posture.InMemory); inMemory {
		return s.counted(ctx, i, now)
	}
	return g.copyOf(s, i)
}

// counted adds the number of devices that are in memory, and how long ago the last of the files was changed.
func (s InventoryStatus) counted(ctx context.Context, i *inventory, now time.Time) InventoryStatus {
	lister, ok := i.Provider.(posture.Lister)
	if !ok {
		return s
	}
	s.Asked = InMemory
	for _, kind := range lister.Lists() {
		_, err := lister.List(ctx, posture.List{Type: kind}, func(posture.Listing) error {
			s.Devices++
			return nil
		})
		s.Err = errors.Join(s.Err, err)
	}
	for n, path := range i.Files {
		if info, err := os.Stat(path); err == nil && (n == 0 || now.Sub(info.ModTime()) < s.Age) {
			s.Age = max(0, now.Sub(info.ModTime()))
		}
	}
	return s
}

// copyOf adds what the file of the copy says. Where there are two lists, the copy is as old as the older one, and answers for
// both kinds only if both are usable.
func (g *generation) copyOf(s InventoryStatus, i *inventory) InventoryStatus {
	if i.keeper == nil {
		return s
	}
	s.Asked = NoCopy
	if i.Snapshot.Path == "" {
		s.Asked = CopyOnly
		return s
	}
	i.keeper.Want(g.wants(i))
	lists := i.keeper.Status()
	for _, list := range lists {
		if !list.Usable {
			return s
		}
	}
	for _, list := range lists {
		s.Asked = Copied
		s.Devices += list.Devices
		s.Age = max(s.Age, list.Age)
		if s.Until.IsZero() || list.Until.Before(s.Until) {
			s.Until = list.Until
		}
	}
	return s
}

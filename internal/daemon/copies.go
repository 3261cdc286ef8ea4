package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/snapshot"
)

// keeper makes the keeper of an inventory's copy; nil if none is to be kept, or if it cannot be listed.
func (s sources) keeper(i provider.Inventory) *snapshot.Keeper {
	lister, ok := i.Provider.(interface {
		posture.Provider
		posture.Lister
	})
	if i.Snapshot == nil || !ok {
		return nil
	}
	return snapshot.New(snapshot.Options{
		Inventory: i.Name, Kind: i.Kind, Account: i.Account, Provider: lister, Settings: *i.Snapshot,
	})
}

// wants are what the policies of the generation read of an inventory.
func (g *generation) wants(i *inventory) (w snapshot.Wants) {
	every := false
	for _, gate := range g.gates {
		for _, source := range slices.Concat(gate.Inventories, gate.AlsoIn) {
			if source.Name != i.Name {
				continue
			}
			w.Facts |= source.Facts | source.Required
			w.Recorded |= source.Recorded
			switch gate.Mode {
			case posture.Computer, posture.MobileDevice:
				if !slices.Contains(w.Types, gate.Mode) {
					w.Types = append(w.Types, gate.Mode)
				}
			default:
				every = true // any, or what the URL of the webhook says
			}
		}
	}
	if every {
		w.Types = nil
	}
	return w
}

// keepCopies begins to keep the copies of the generation that is in effect. What a copy of before has is taken over where
// it is of the same account.
func (s *service) keepCopies(ctx context.Context, before []*inventory) {
	now := s.live.Load()
	for _, i := range now.inventories {
		if i.keeper == nil {
			continue
		}
		if i.endKeeper == nil {
			for _, old := range before {
				if old.keeper != nil && old.Name == i.Name && old.Account == i.Account {
					i.keeper.Inherit(old.keeper)
				}
			}
			running, end := context.WithCancel(ctx)
			i.endKeeper = end
			go i.keeper.Run(running)
		}
		i.keeper.Want(now.wants(i))
	}
}

// fetchCopies makes a fetch of each copy due.
func (s *service) fetchCopies() {
	for _, i := range s.live.Load().inventories {
		if i.keeper != nil {
			i.keeper.Fetch()
		}
	}
}

// usableCopy reports whether an inventory has a copy that answers, so that the daemon can decide without it for now.
func (i *inventory) usableCopy() (until time.Time, usable bool) {
	if i.keeper == nil {
		return time.Time{}, false
	}
	for _, list := range i.keeper.Status() {
		if list.Usable && (!usable || list.Until.Before(until)) {
			until, usable = list.Until, true
		}
	}
	return until, usable
}

// refusedWithoutCopy reports whether an inventory has refused the credentials, as the error of check says, and has no copy
// that could answer meanwhile.
func refusedWithoutCopy(err error) bool {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return errors.Is(err, posture.ErrCredentials)
	}
	return slices.ContainsFunc(several.Unwrap(), func(one error) bool {
		of := (*checkError)(nil)
		if errors.As(one, &of) {
			if _, usable := of.inventory.usableCopy(); usable {
				return false
			}
		}
		return errors.Is(one, posture.ErrCredentials)
	})
}

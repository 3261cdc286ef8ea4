package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/snapshot"
)

// lister is a provider that can be listed, so that it can have a snapshot.
type lister interface {
	posture.Provider
	posture.Lister
}

// listening is the provider of a keeper. That it answers the keeper's lookups says that lookups are answered again: with a
// snapshot it can take long until a device needs one.
type listening struct {
	lister

	answered func()
}

// Lookup implements posture.Provider.
func (l listening) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	d, err := l.lister.Lookup(ctx, q)
	if !(posture.Answer{Err: err}).Failed() {
		l.answered()
	}
	return d, err
}

// keep makes the keeper of an inventory's copy, if one is to be kept; by hand, it only says what the daemon answers. The
// problem is that the inventory cannot be listed.
func (i *inventory) keep(byHand bool) config.Problems {
	if i.Snapshot == nil {
		return nil
	}
	of, ok := i.Provider.(lister)
	if !ok || len(of.Lists()) == 0 {
		lacks := "its devices cannot be listed"
		if says, ok := i.Provider.(interface{ ListLacks() string }); ok {
			lacks += ": " + says.ListLacks()
		}
		return config.Problems{{Text: "inventory " + i.Name + ": snapshot: " + lacks + "; accepted: an inventory that can be listed as it is configured, or no key snapshot"}}
	}
	i.reports = &copyReports{}
	provider := listening{of, func() {
		if i.answered != nil {
			i.answered()
		}
	}}
	i.keeper = snapshot.New(snapshot.Options{
		Inventory: i.Name, Kind: i.Kind, Account: i.Account, Provider: provider, Settings: *i.Snapshot, ByHand: byHand, Report: i.reports.report,
	})
	return nil
}

// wants are what the policies of the generation read of an inventory.
func (g *generation) wants(i *inventory) (w snapshot.Wants) {
	every := false
	w.Types = []posture.DeviceType{} // none, where no policy asks the inventory
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

// wantCopies says to the keepers what the policies of the generation read. Those of inventories that another generation has
// too are left out.
func (g *generation) wantCopies(without *generation) {
	for _, i := range g.inventories {
		if i.keeper != nil && (without == nil || !slices.Contains(without.inventories, i)) {
			i.keeper.Want(g.wants(i))
		}
	}
}

// uselessCopies warns of each policy that can never use a copy, because it reads what the list of the inventory lacks.
func (g *generation) uselessCopies() (warnings []string) {
	for _, policy := range slices.Sorted(maps.Keys(g.gates)) {
		gate := g.gates[policy]
		for _, source := range slices.Concat(gate.Inventories, gate.AlsoIn) {
			n := slices.IndexFunc(g.inventories, func(i *inventory) bool { return i.Name == source.Name && i.keeper != nil })
			if n < 0 {
				continue
			}
			of, _ := g.inventories[n].Provider.(posture.Lister)
			if lacks := (source.Facts | source.Required) &^ of.ListGives(); lacks != 0 {
				warnings = append(warnings, fmt.Sprintf("policy %s can never use the snapshot of the inventory %s: it reads %s, which the inventory's list does not give",
					policy, source.Name, strings.Join(factNames(lacks), ", ")))
			}
		}
	}
	return warnings
}

// factNames are the names of facts, and words for the inventory's own data.
func factNames(facts posture.FactSet) []string {
	names := facts.Names()
	if facts.Has(posture.Document) {
		names = append(names, "the inventory's own data for the certificate")
	}
	return names
}

// inherit hands the copies of the generation in effect over to the next one, before that is asked: where the account of an
// inventory is the same, its records are too.
func (g *generation) inherit(before *generation) {
	for _, i := range g.inventories {
		if i.keeper == nil || slices.Contains(before.inventories, i) {
			continue
		}
		for _, old := range before.inventories {
			if old.keeper != nil && old.Name == i.Name && old.Kind == i.Kind && old.Account == i.Account {
				i.keeper.Inherit(old.keeper)
			}
		}
	}
	g.wantCopies(nil)
}

// keepCopies begins to keep the copies of the generation that is in effect. It is called at start, and then by reloads, one
// at a time.
func (s *service) keepCopies(ctx context.Context) {
	for _, i := range s.live.Load().inventories {
		if i.keeper == nil || i.endKeeper != nil {
			continue
		}
		i.reports.follow(s.reportCopy)
		running, end := context.WithCancel(ctx)
		i.endKeeper = end
		i.answered = func() { s.state.setLookup(i.Name, nil) }
		s.keepers.Go(func() { i.keeper.Run(running) })
	}
}

// awaitKeepers waits until the keepers, whose context is done, have ended: one may be writing its file, and
// another one hold a connection to the state database, which is closed next.
func (s *service) awaitKeepers() {
	ended := make(chan struct{})
	go func() { s.keepers.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(keeperEnd):
	}
}

func (s *service) reportCopy(r snapshot.Report) {
	if r.Warning {
		s.log.Warn(r.Text)
	} else {
		s.log.Info(r.Text)
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

// usableCopy reports whether an inventory has a copy that answers what its policies read, so that the daemon can decide
// without it for now.
func (g *generation) usableCopy(i *inventory) bool {
	if i.keeper == nil {
		return false
	}
	facts := g.wants(i).Facts
	return slices.ContainsFunc(i.keeper.Status(), func(list snapshot.Status) bool { return list.Usable && list.Facts.Has(facts) })
}

// StopsStart reports whether the error of Check keeps the daemon from starting: an inventory has refused the credentials,
// and has no copy that can answer meanwhile.
func (d *Daemon) StopsStart(err error) bool {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return errors.Is(err, posture.ErrCredentials)
	}
	return slices.ContainsFunc(several.Unwrap(), func(one error) bool {
		of := (*checkError)(nil)
		if errors.As(one, &of) && d.current.usableCopy(of.inventory) {
			return false
		}
		return errors.Is(one, posture.ErrCredentials)
	})
}

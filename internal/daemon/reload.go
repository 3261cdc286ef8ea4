package daemon

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/reload"
	"step-posture-connector/internal/systemd"
	"step-posture-connector/internal/webhook"
)

// keepUpToDate reloads files when they have changed, and everything with each signal, until ctx is done.
func (s *service) keepUpToDate(ctx context.Context, reloads <-chan os.Signal) {
	loop := s.loop(ctx)
	go loop.Run(ctx)
	requests := make(chan struct{}, 1)
	go s.reloadOnRequest(ctx, loop, requests)
	for {
		select {
		case <-ctx.Done():
			return
		case <-reloads:
			// At once, and not after the reload of the other files: the audit log was moved, and may be compressed and
			// removed next.
			s.reopen()
			select {
			case requests <- struct{}{}:
			default: // a waiting request serves this signal too
			}
		}
	}
}

// reloadOnRequest reloads all files with each request, and keeps the service manager informed.
func (s *service) reloadOnRequest(ctx context.Context, loop *reload.Loop, requests <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-requests:
			s.notify(systemd.Reloading)
			s.reloadAll(ctx, loop)
			s.fetchCopies()
			s.notify(systemd.Ready)
		}
	}
}

func (s *service) reloadAll(ctx context.Context, loop *reload.Loop) {
	limited, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	if err := loop.Reload(limited); err != nil && ctx.Err() == nil {
		s.log.Warnf("reload not finished after %s, keeping the previous version until then: %v", reloadTimeout, err)
	}
}

func (s *service) loop(ctx context.Context) *reload.Loop {
	s.identitySet.SetLoad(func() (func(), error) {
		s.log.Trace("reading the certificate, its key, the client CA bundle and revocation lists")
		apply, err := s.loadTLS()
		if apply == nil {
			return nil, err
		}
		what := "reloaded: "
		if err != nil {
			what = "reloaded in part: "
		}
		return func() {
			apply()
			found, warnings := what+s.describeFiles(), s.tls.Warnings(s.now())
			if s.doorTLS != nil {
				found += "; CAs of callers of doors: " + s.doorTLS.DescribeCAs()
				warnings = append(warnings, s.doorTLS.Warnings(s.now())...)
				warnings = append(warnings, s.doorWarnings(s.live.Load())...)
			}
			if s.consoleTLS != nil {
				warnings = append(warnings, s.consoleTLS.Warnings(s.now())...)
			}
			if len(warnings) > 0 {
				s.log.Warn(strings.Join(append([]string{found}, warnings...), "; "))
			} else {
				s.log.Info(found)
			}
		}, err
	})
	var loop *reload.Loop
	s.policySet.SetLoad(func() (func(), error) {
		apply, err := s.loadPolicies()
		if err != nil {
			return apply, err
		}
		return func() {
			before := s.live.Load()
			apply()
			s.keepCopies(ctx)
			loop.Use(s.sets()...)
			go s.checkAdded(ctx, s.live.Load(), before)
		}, nil
	})
	for _, i := range s.live.Load().inventories {
		s.keepInventory(i)
	}
	if s.usersSet != nil {
		s.keepUsers()
	}
	loop = reload.NewLoop(s.reloaded, s.sets()...)
	return loop
}

// loadPolicies loads what is in the policy file, and in the files that it refers to.
func (s *service) loadPolicies() (apply func(), err error) {
	s.log.Trace("reading the policy file and the secrets of webhooks")
	next, read, err := s.sources.load(s.live.Load(), s.policyPaths)
	watch := func() { s.policySet.Watch(read.state); s.policyPaths = read.paths }
	if err != nil {
		// The file stays without effect; but what it refers to is watched, because its change may be the repair.
		return watch, err
	}
	return func() {
		s.swap(next)
		watch()
	}, nil
}

// sets are the files that are reloaded when they change.
func (s *service) sets() []*reload.Set {
	sets := []*reload.Set{s.identitySet}
	if s.reloadsPolicy() {
		sets = append(sets, s.policySet)
	}
	if s.usersSet != nil {
		sets = append(sets, s.usersSet)
	}
	for _, i := range s.live.Load().inventories {
		if i.reloads() {
			sets = append(sets, i.set)
		}
	}
	return sets
}

// reloadsPolicy reports whether there is a policy file, or a file with webhooks.
func (s *service) reloadsPolicy() bool { return len(s.policyPaths) > 0 }

// keepInventory makes the loop reload the files of an inventory.
func (s *service) keepInventory(i *inventory) {
	reloader, ok := i.Provider.(posture.Reloader)
	if !ok {
		return
	}
	i.set.SetLoad(func() (func(), error) {
		s.log.Trace("reading the inventory")
		next, err := reloader.Reload()
		if err != nil {
			return nil, err
		}
		return func() {
			next.Apply()
			s.doors.Forget()
			found := strings.Join(append([]string{"reloaded: " + next.Found}, next.Warnings...), "; ")
			if len(next.Warnings) > 0 {
				s.log.Warn(found)
			} else {
				s.log.Info(found)
			}
		}, nil
	})
}

// swap puts the next generation into effect. Requests under way finish with the one before, so what only that one uses is
// closed when they have ended.
func (s *service) swap(next *generation) {
	before := s.live.Load()
	gone := slices.DeleteFunc(slices.Clone(before.inventories), func(i *inventory) bool { return slices.Contains(next.inventories, i) })
	// What is gone first: an inventory with other settings has the same series as the one before.
	for _, i := range gone {
		s.dropSeries(i)
	}
	for _, i := range next.inventories {
		if !slices.Contains(before.inventories, i) {
			s.traceProvider(i)
			s.keepInventory(i)
			s.collect(i)
		}
	}
	s.metrics.UsePolicies(next.series())
	next.inherit(before)
	s.live.Store(next)
	s.useAPI(next)
	s.useDoors(next)
	s.webhooks.Use(s.webhookHooks(next))
	// Only now: /readyz is ok when what is in effect is.
	for _, i := range gone {
		s.drop(i)
	}
	s.state.follow(next)
	what := "reloaded: webhooks"
	if next.file != nil {
		what = "reloaded: policies and webhooks, policy file: hash " + next.file.Hash
	}
	if next.same(before) {
		s.log.Info(what + ", without a change")
		return
	}
	for _, warning := range next.warnings {
		s.log.Warn(warning)
	}
	s.log.Info(what)
	for _, line := range s.doorWarnings(next) {
		s.log.Warn(line)
	}
	for _, line := range slices.Concat(next.describePolicies(), next.describeDoors()) {
		s.log.Info(line)
	}
}

// dropSeries takes the metrics of an inventory away.
func (s *service) dropSeries(i *inventory) {
	for _, uncollect := range i.uncollect {
		uncollect()
	}
	s.metrics.Forget(i.set.Name())
}

// drop forgets an inventory that no policy can ask any more. Requests that began before may still ask it.
func (s *service) drop(i *inventory) {
	s.state.set(i.set.Name(), nil)
	s.state.set(lookupOf(i.Name), nil)
	if i.endKeeper != nil {
		i.endKeeper() // a fetch that is under way is of no use; the copy goes on answering requests that began before
	}
	time.AfterFunc(webhook.Budget, i.close)
}

// reloaded notes the outcome of a reload. A success has been logged; a failure is logged here.
func (s *service) reloaded(name string, err error) {
	s.metrics.Reloaded(name, err)
	s.state.set(name, err)
	if err != nil {
		s.log.Errorf("reload failed, keeping the previous version: %s", oneLine(err))
	}
}

package daemon

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/health"
)

// The names of what can be wrong while the daemon decides: its reloads, and two more.
const (
	tlsFiles       = "tls"
	policyFiles    = "policy"
	inventoryFiles = "inventory"
	usersFiles     = "console"    // the file of users
	auditFile      = "audit"      // could not be reopened
	auditLine      = "audit line" // the last one could not be written
	lastLookup     = "lookup"     // the last one failed, or none was made since the inventory did not answer at start
)

// lookupOf is lastLookup of an inventory of a policy file.
func lookupOf(inventory string) string { return lastLookup + "/" + inventory }

// state has what is wrong at present, under these names. What a check can look up itself is not in it.
type state struct {
	mu    sync.Mutex
	wrong map[string]string
	// inventories are those that can be asked, by name.
	inventories map[string]bool
}

// follow notes which inventories can be asked from now on.
func (s *state) follow(g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inventories = map[string]bool{}
	for _, i := range g.inventories {
		s.inventories[i.Name] = true
	}
}

// setLookup notes the outcome of a lookup. That of an inventory that is gone does not count: it would never be over.
func (s *state) setLookup(inventory string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inventories[inventory] {
		s.note(lookupOf(inventory), err)
	}
}

// set notes an error, or with nil that it is over.
func (s *state) set(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(name, err)
}

func (s *state) note(name string, err error) {
	if err == nil {
		delete(s.wrong, name)
		return
	}
	if s.wrong == nil {
		s.wrong = map[string]string{}
	}
	s.wrong[name] = audit.Clean(oneLine(err), maxMessage)
}

func (s *state) get(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong[name]
}

// all are the errors under a name, and under names that begin with it and a slash: one for each inventory.
func (s *state) all(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var texts []string
	for _, key := range slices.Sorted(maps.Keys(s.wrong)) {
		if key == name || strings.HasPrefix(key, name+"/") {
			texts = append(texts, s.wrong[key])
		}
	}
	return strings.Join(texts, "; ")
}

// observed notes whether the provider answers. A request whose client left before the answer does not show that.
func (s *state) observed(e *audit.Event) {
	if e.Policy == "" {
		if e.ProviderErr != nil || e.ProviderAnswered {
			s.set(lastLookup, e.ProviderErr)
		}
		return
	}
	for inventory, answer := range e.Lookups() {
		err := answer.Err
		if err != nil {
			err = fmt.Errorf("inventory %s: %w", inventory, err)
		}
		s.setLookup(inventory, err)
	}
}

// checks are what /readyz reports. None of them contacts the inventory, so they cost it nothing.
func (s *service) checks() []health.Check {
	checks := []health.Check{
		{Name: "certificate", Probe: s.checkCertificate},
		{Name: "provider", Probe: func() (health.Status, string) {
			return degraded(s.state.all(lastLookup), "the last lookup was not answered: %s")
		}},
	}
	if s.config.TLSCRLPath != "" {
		checks = append(checks, health.Check{Name: "revocation", Probe: s.checkLists})
	}
	if s.current.file != nil && s.current.file.Doors != nil {
		checks = append(checks, health.Check{Name: "device_revocation", Probe: s.checkDeviceLists})
	}
	if s.current.file != nil || s.current.inventories[0].reloads() {
		checks = append(checks, health.Check{Name: "inventory", Probe: func() (health.Status, string) {
			return degraded(s.state.all(inventoryFiles), "reload failed, keeping the previous version: %s")
		}})
	}
	if s.reloadsPolicy() {
		checks = append(checks, health.Check{Name: "policy", Probe: func() (health.Status, string) {
			return degraded(s.state.get(policyFiles), "reload failed, keeping the previous version: %s")
		}})
	}
	if s.current.file != nil {
		checks = append(checks, health.Check{Name: "snapshot", Probe: s.checkCopies})
	}
	if s.database != nil {
		checks = append(checks, health.Check{Name: stateDatabase, Probe: func() (health.Status, string) {
			if wrong := s.state.get(stateDatabase); wrong != "" {
				return degraded(wrong, "what needs an enrolment token is answered with 503: %s")
			}
			return degraded(s.state.get(statePurge), "%s")
		}})
	}
	if s.usersSet != nil {
		checks = append(checks, health.Check{Name: "console", Probe: func() (health.Status, string) {
			return degraded(s.state.get(usersFiles), "reload failed, keeping the previous version: %s")
		}})
	}
	if s.journal != nil {
		checks = append(checks, health.Check{Name: journalCheck, Probe: s.checkJournal})
	}
	if s.trail != nil {
		checks = append(checks, health.Check{Name: "audit", Probe: func() (health.Status, string) {
			return degraded(cmp.Or(s.state.get(auditLine), s.state.get(auditFile)), "decisions may be missing in the audit log: %s")
		}})
	}
	return append(checks, health.Check{Name: "log", Probe: s.checkLog})
}

func (s *service) checkLog() (health.Status, string) {
	if err := s.queue.Err(); err != nil {
		return health.Degraded, err.Error()
	}
	return health.OK, ""
}

func degraded(wrong, format string) (health.Status, string) {
	if wrong == "" {
		return health.OK, ""
	}
	return health.Degraded, fmt.Sprintf(format, wrong)
}

func (s *service) checkCertificate() (health.Status, string) {
	leaf, now := s.tls.Leaf(), s.now()
	switch {
	// Fail closed: step-ca accepts neither, so no request can be answered, which is more than "degraded".
	case now.After(leaf.NotAfter):
		return health.Unavailable, fmt.Sprintf("the server certificate expired at %s; renew it, the new file is loaded without a restart", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return health.Unavailable, fmt.Sprintf("the server certificate is not valid before %s; check the clock", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return degraded(s.state.get(tlsFiles), "reload failed, keeping the previous version: %s")
}

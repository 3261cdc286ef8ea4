package daemon

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/reload"
	"step-posture-connector/internal/snapshot"
	"step-posture-connector/internal/webhook"
)

// generation is all that decides at one time: the inventories, the policies over them, and the webhooks that may call. It
// never changes. A reload makes another one, and each request finishes with the generation that verified its signature.
type generation struct {
	file        *policyfile.File // nil without a policy file
	inventories []*inventory
	gates       map[string]*posture.Gate // by policy; without a policy file there is one, named ""
	hooks       []webhook.Hook
	bearer      *webhook.Hook // the one that a bearer credential alone authenticates; nil where there is none
	devices     *deviceCAs    // whose certificates devices show; nil without doors
	warnings    []string
}

// inventory is an inventory that is open.
type inventory struct {
	provider.Inventory

	section *provider.Section // nil where the environment configures it
	set     *reload.Set       // its files

	keeper    *snapshot.Keeper // keeps the copy; nil without one
	reports   *copyReports     // of the keeper
	endKeeper func()           // ends its work; nil while it does not run
	answered  func()           // is called when the inventory has answered its keeper; nil while that does not run

	uncollect []func() // take its metrics away
}

// same reports whether both generations decide alike, so that a reload has changed nothing.
func (g *generation) same(other *generation) bool {
	return g.fingerprint() == other.fingerprint() && slices.Equal(g.inventories, other.inventories)
}

func (g *generation) fingerprint() [sha256.Size]byte {
	var text strings.Builder
	if g.file != nil {
		text.WriteString(g.file.Hash)
	}
	for _, hook := range g.hooks {
		fmt.Fprintf(&text, "\n%s %x", hook.ID, hook.Secrets)
	}
	if g.devices != nil {
		for _, ca := range g.devices.trust.Issuers {
			fmt.Fprintf(&text, "\n%x", ca.Raw)
		}
		if g.devices.revoked != nil {
			text.WriteString("\n" + g.devices.revoked.String())
		}
	}
	return sha256.Sum256([]byte(text.String()))
}

// policyNames are the names of the policies, in order, without a policy "default" that neither the file nor a webhook has.
// Without a policy file there is one, and it has no name.
func (g *generation) policyNames() []string {
	names := slices.Sorted(maps.Keys(g.gates))
	if len(names) == 1 {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool {
		webhooks, doors := g.callersOf(name)
		return g.file.Policies[name].Implied && len(webhooks)+len(doors) == 0
	})
}

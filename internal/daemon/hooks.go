package daemon

import (
	"bytes"
	"slices"
	"sync/atomic"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// hooksOf are the webhooks of the environment. In a policy file, the ID stands for their name.
func hooksOf(hooks config.Webhooks, gate *posture.Gate, named bool, previous *generation) (all []webhook.Hook) {
	secrets := hooks.Secrets.List()
	for i, id := range hooks.IDs {
		hook := webhook.Hook{ID: id, Gate: gate}
		if i < len(secrets) { // fail closed: no request is authentic for a webhook without a secret
			hook.Secrets = [][]byte{secrets[i].Reveal()}
		}
		if named {
			hook.Name = id
		}
		all = append(all, previous.withUse(hook))
	}
	return all
}

func hooksOfFile(file *policyfile.File, g, previous *generation) (all []webhook.Hook) {
	gates := g.gates
	for _, w := range file.Webhooks {
		hook := webhook.Hook{
			Name: w.Name, ID: w.ID, Accepts: w.Accepts, Kind: w.Kind, Params: w.Params,
			ProvisionerType: w.ProvisionerType, ProvisionerName: w.ProvisionerName,
		}
		if p := file.Policies[w.Policy]; p != nil {
			hook.Gate, hook.Whole = gates[w.Policy], p.ReadsRequestParts()
		}
		if w.Takes(posture.RADIUS) && g.devices != nil {
			hook.Devices, hook.Identity = g.devices.trust, devicecert.PermanentIdentifier
		}
		for a, identify := range w.Identify {
			if hook.Identify == nil {
				hook.Identify = map[posture.Accepts]webhook.Identify{}
			}
			hook.Identify[a] = identify.Identifier
		}
		for _, secret := range w.Secrets {
			hook.Secrets = append(hook.Secrets, secret.Reveal())
		}
		all = append(all, previous.withUse(hook))
	}
	return all
}

// withUse adds when each secret was last used, as the previous generation knows it.
func (g *generation) withUse(hook webhook.Hook) webhook.Hook {
	for _, secret := range hook.Secrets {
		used := new(atomic.Int64)
		if g != nil {
			for _, before := range g.hooks {
				if i := slices.IndexFunc(before.Secrets, func(s []byte) bool { return bytes.Equal(s, secret) }); i >= 0 && before.ID == hook.ID {
					used = before.Used[i]
				}
			}
		}
		hook.Used = append(hook.Used, used)
	}
	return hook
}

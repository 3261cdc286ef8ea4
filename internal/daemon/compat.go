package daemon

import (
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// compat is what COMPAT_MDMSECURITYDEMO adds.
type compat struct {
	webhookKey config.Secret
	// token is what the policy default requires.
	token *posture.TokenRequirement
}

// The attributes of the profile that enrollhandler makes.
const (
	compatPolicy = "default"
	compatToken  = "2.5.4.35"
	compatUDID   = "2.5.4.45"
	compatCaller = "mdmsecuritydemo"
)

func newCompat(c config.Config, environ config.Environment) *compat {
	if !c.CompatEnabled {
		return nil
	}
	return &compat{c.WebhookKey, &posture.TokenRequirement{
		Policy: compatPolicy, In: compatToken, UDIDIn: compatUDID, Lifetime: enroll.DefaultLifetime,
		UnpairedUDID: environ.Variables["PROVIDER"] == "file" && environ.Variables["FILE_TYPE"] == "lines",
	}}
}

// warnings say what a line list cannot do.
func (c *compat) warnings() []string {
	if c == nil || !c.token.UnpairedUDID {
		return nil
	}
	return []string{"FILE_TYPE is lines: the list pairs no UDID with a serial number, so that one listed device may use the key of another; a CSV or JSON file with both closes this"}
}

// require puts the token into the policy default, which no policy file may have beside this.
func (s sources) require(r reading) config.Problems {
	if s.compat == nil || r.file == nil {
		return nil
	}
	p := r.file.Policies[compatPolicy]
	if p == nil || !p.Implied {
		return config.Problems{{
			Variable: "COMPAT_MDMSECURITYDEMO", Text: "1, which makes a policy default, and the policy file has a policy default too",
			Accepted: "another name of the policy in the policy file, or 0",
		}}
	}
	p.Token = s.compat.token
	return nil
}

// bearerHook is the webhook that WEBHOOK_KEY authenticates; nil where there is none, or signatures say which one calls.
func (s sources) bearerHook(g *generation, ids int) *webhook.Hook {
	if s.compat == nil || ids > 0 {
		return nil
	}
	hook := &webhook.Hook{Gate: g.gates[""]}
	if g.file != nil {
		hook.Name, hook.Gate = compatCaller, g.gates[compatPolicy]
	}
	return hook
}

// webhookHooks are the webhooks of a generation that may call.
func (s *service) webhookHooks(g *generation) *webhook.Hooks {
	hooks := webhook.NewHooks(g.hooks, g.file != nil)
	if s.sources.compat != nil {
		hooks = hooks.WithBearer(s.sources.compat.webhookKey.Reveal(), g.bearer)
	}
	return hooks
}

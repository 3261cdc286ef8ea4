package policyfile

import (
	"slices"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// uses says who asks by each policy: webhooks of the file and of the environment, and doors. What is wrong with them is no
// fault yet.
func uses(webhooks, doors document.Value, s Surroundings) func(name string) policy.Use {
	all := map[string]policy.Use{}
	change := func(name string, with func(*policy.Use)) {
		u := all[name]
		with(&u)
		all[name] = u
	}
	if len(s.WebhookIDs) > 0 {
		change("default", func(u *policy.Use) { u.Webhook = true })
	}
	for _, w := range webhooks.Rows("policy", "accepts", "name") {
		change(w[0], func(u *policy.Use) {
			if w[1] == string(posture.RADIUS) {
				u.Smallstep = append(u.Smallstep, w[2])
				return
			}
			u.Webhook = true
		})
	}
	for _, d := range doors.Member("radius").Rows("policy") {
		change(d[0], func(u *policy.Use) { u.RADIUS = true })
	}
	for _, d := range doors.Member("forward_auth").Rows("policy") {
		change(d[0], func(u *policy.Use) { u.ForwardAuth = true })
	}
	return func(name string) policy.Use { return all[name] }
}

// noUse says that a policy decides about nothing.
func (f *File) noUse() string {
	if f.Doors != nil {
		return "neither a webhook nor a door has this policy"
	}
	return "no webhook has this policy"
}

// doorCallers are the callers of all doors.
func doorCallers(doors document.Value) (names []string) {
	for _, door := range []string{posture.RADIUSDoor, posture.ForwardAuthDoor} {
		of := doors.Member(door)
		if !of.IsList() {
			continue
		}
		for _, name := range of.Texts("callers") {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

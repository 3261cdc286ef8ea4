package policyfile

import (
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
)

// Uses says who asks by each policy.
func Uses(webhooks, doors document.Value, s Surroundings) func(name string) policy.Use {
	return uses(webhooks, doors, s)
}

// DoorCallers are the callers of all doors.
func DoorCallers(doors document.Value) []string { return doorCallers(doors) }

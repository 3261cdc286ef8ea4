package policyfile

import (
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
)

// Uses is uses.
func Uses(webhooks, doors document.Value, s Surroundings) func(name string) policy.Use {
	return uses(webhooks, doors, s)
}

// DoorCallers is doorCallers.
func DoorCallers(doors document.Value) []string { return doorCallers(doors) }

package daemon

import (
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/webhook"
)

// TestPolicies checks a policy file, and runs the tests in it. It asks no inventory and reads no secret. The strings are
// warnings for the operator.
func TestPolicies(path string) ([]policyfile.Result, []string, error) {
	file, err := policyfile.Read(path, policyfile.Surroundings{Codes: webhook.Codes(), WithoutSecrets: true})
	if err != nil {
		return nil, nil, err
	}
	return file.RunTests(), file.Warnings, nil
}

package daemon

import (
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policyfile"
)

// TestPolicies checks a policy file, and runs the tests in it. It asks no inventory and reads no secret; of environ only
// PROVIDER and WEBHOOK_IDS count, to which the file may refer. The strings are warnings for the operator.
func TestPolicies(path string, environ config.Environment) ([]policyfile.Result, []string, error) {
	file, err := policyfile.Read(path, policyfile.Surroundings{
		Environ: environ.Variables, Inventory: environ.Variables["PROVIDER"], WebhookIDs: config.WebhookIDs(environ.Variables),
		Codes: outcome.Codes(), WithoutSecrets: true,
	})
	if err != nil {
		return nil, nil, err
	}
	return file.RunTests(), file.Warnings, nil
}

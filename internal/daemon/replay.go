package daemon

import (
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/replay"
)

// NewReplay prepares to decide recorded requests again under the policies of a file. It opens no inventory and reads no
// secret; of environ only PROVIDER, with what the variables of that provider require, and WEBHOOK_IDS count, to which the
// file may refer. The strings are warnings for the operator.
func NewReplay(path string, environ config.Environment) (*replay.Replay, []string, error) {
	var ids config.UUIDs
	_ = ids.UnmarshalText([]byte(environ.Variables["WEBHOOK_IDS"])) // check reports what is wrong with them
	own := environ.Variables["PROVIDER"]
	file, err := policyfile.Load(path, policyfile.Surroundings{
		Environ: environ.Variables, Inventory: own, WebhookIDs: ids, Codes: outcome.Codes(), WithoutSecrets: true,
	})
	if err != nil {
		return nil, nil, err
	}
	required := map[string]provider.Required{}
	if own != "" {
		required[own] = provider.RequiredOf(own, environ.Variables)
	}
	for _, section := range file.Inventories {
		required[section.Name] = section.Required
	}
	return replay.New(replay.Options{File: file, Required: required, WebhookIDs: ids, Codes: outcome.Codes()}), file.Warnings, nil
}

package policyfile

// The bounds of a policy file.
const (
	maxInventories = 256
	maxWebhooks    = 256
	maxSecrets     = 2 // of a webhook: one, and the one that replaces it

	maxClients = 256
	minBearer  = 16 // bytes of a client's secret

	maxParams          = 32  // of a webhook's URL
	maxProvisionerName = 256 // characters
)

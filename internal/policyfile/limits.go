package policyfile

import "time"

// The bounds of a policy file.
const (
	maxInventories = 256
	maxWebhooks    = 256
	maxSecrets     = 2 // of a webhook: one, and the one that replaces it

	maxClients = 256
	minBearer  = 16 // bytes of a client's secret

	maxParams          = 32  // of a webhook's URL
	maxProvisionerName = 256 // characters

	maxDoors        = 64 // of each kind
	maxCallers      = 64 // of a door
	maxProvisioners = 64
	maxHeaders      = 32 // of an answer

	maxDoorCache = time.Hour
	// The bounds of a session: a shorter one is a login all the time, a longer one lets a lost device stay on.
	minSession, maxSession = time.Minute, 24 * time.Hour
)

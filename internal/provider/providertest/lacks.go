package providertest

// Trait is what inventories can have, and what the suites test where it is not said to be missing: a test that forgets
// to say it fails, instead of testing less.
type Trait uint

// The traits.
const (
	// Types: computers and mobile devices are kept apart.
	Types Trait = 1 << iota
	// Groups: devices are members of groups.
	Groups
	// Unmanaged: records of devices that are no longer managed are kept.
	Unmanaged
	// Duplicates: several records may have the same identifier.
	Duplicates
	// AnyIdentifier: records may have any text as an identifier, none included.
	AnyIdentifier
	// Tokens: the vendor's server issues the credentials of a lookup, and they expire.
	Tokens
	// Newest: of several records with one identifier the one whose device was seen last counts.
	Newest
	// Managed: records say whether the device is managed.
	Managed
	// EndpointsOfTypes: each type of device is looked up at endpoints of its own.
	EndpointsOfTypes
)

func (t Trait) has(other Trait) bool { return t&other != 0 }

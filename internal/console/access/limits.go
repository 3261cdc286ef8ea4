package access

import "time"

// The time limits of the console's access. docs/operation.md lists them; a test compares.
const (
	// requestTimeout is how long a request may take, with all that it asks the state database.
	requestTimeout = 20 * time.Second
	// bodyTimeout is for the body of a form.
	bodyTimeout = 5 * time.Second
	// roomTimeout is how long a request waits where so many are answered already as may be at once.
	roomTimeout = 2 * time.Second
	// storeTimeout is how long an answer of the state database about a session is awaited.
	storeTimeout = 3 * time.Second
	// passwordTimeout is how long a log-in waits until its password is verified: that is done for one at a time.
	passwordTimeout = 5 * time.Second
	// sessionLife is how long a session lasts at most, whatever is done with it.
	sessionLife = 8 * time.Hour
	// formLife is how long a cookie of a form without a session is good.
	formLife = 12 * time.Hour
	// oidcLife is how long a person may take at the OpenID provider.
	oidcLife = 10 * time.Minute
	// providerTimeout is how long an answer of the OpenID provider is awaited.
	providerTimeout = 5 * time.Second
	// providerRetry is how long is waited after the OpenID provider could not be reached, and until it is asked again.
	providerRetry = 2 * time.Second
	// providerFresh is how old the endpoints of the OpenID provider may become, until they are asked for again.
	providerFresh = time.Hour
)

// Bounds.
const (
	// maxRequests is how many requests are answered at once: the console must not use up what webhooks need.
	maxRequests = 16
	// maxGuests is how many of them are about a log-in: anybody can send those, and they wait for a provider that hangs.
	maxGuests = 12
	// maxForm bounds the body of a form, in bytes.
	maxForm = 8 << 10
	// maxNext bounds the path of a page to return to, in bytes: it is in a cookie while a person is at the OpenID provider.
	maxNext = 1024
	// maxName bounds the name of a person, in bytes.
	maxName = 128
	// maxUsers and maxUsersFile bound the file of users.
	maxUsers     = 1000
	maxUsersFile = 256 << 10
	// maxPassword is what bcrypt reads of a password, in bytes. A longer one is wrong: its rest would not count.
	maxPassword = 72
	// leastCost and mostCost bound the cost of a hash: below, bcrypt itself refuses; above, one log-in takes seconds of a processor.
	// advisedCost is what the warning about a lower one asks for.
	leastCost, mostCost, advisedCost = 4, 14, 10
	// maxPasswords is how many log-ins wait for the verification of a password, which uses up a whole processor.
	maxPasswords = 8
	// maxAnswer bounds an answer of the OpenID provider, in bytes.
	maxAnswer = 1 << 20
	// maxCode bounds the code that a person brings from the OpenID provider, in bytes.
	maxCode = 4096
	// maxGroups bounds the groups of a person.
	maxGroups = 10000
	// maxTries bounds the clients and names whose tries are counted.
	maxTries = 4096
)

// How many wrong tries to log in are admitted: a burst, and then one in each interval. That of all together bounds what is spent on
// strangers, and so how many clients and names have tried at all.
const (
	burstClient, everyClient = 10, 6 * time.Second
	burstName, everyName     = 10, 6 * time.Second
	burstAll, everyAll       = 60, time.Second
	// noticesEvery is how often the audit log has a line about tries that were too many; the log has each.
	noticesEvery = time.Second
)

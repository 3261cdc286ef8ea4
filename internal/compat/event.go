package compat

// Event is what is known of a request when it was answered. It has no key, no credential and no hash of them, and whatever the
// client chose is fit for a log line.
type Event struct {
	Reference string // for the log; no answer has it
	// Operation is key or query; empty where the path or the method is wrong.
	Operation string
	// Policy and TokenID are those of the token that was issued; empty where none was.
	Policy, TokenID string
	// Identifier is the serial number of a query, and UDID that of a query or for which a key is wanted.
	Identifier, UDID string
	Code             string // empty where the answer is 200
	Reason           string // what is behind it
	Stack            string // of a panic
	Status           int    // of HTTP
	Method           string
	Path             string // without what is below /api/
	RemoteAddress    string
}

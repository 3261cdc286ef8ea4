package tokenapi

import "time"

// Event is what is known of a request when it was answered. It has no token, no credential and no hash of them, and whatever
// the client chose is fit for a log line.
type Event struct {
	Time      time.Time // when it came
	Reference string    // in the message of an error too
	// Operation is issue, list or revoke; empty where the path or the method is wrong.
	Operation string
	// Client is empty where the request is not authenticated.
	Client string
	// Policy is that of a token that is issued, if the client may issue it.
	Policy string
	// TokenID is that of the token that was issued or revoked; empty where none was.
	TokenID string
	// Identifier and UDID are those that the client asks for.
	Identifier, UDID string
	Code             string // of an error
	Reason           string // what is behind it
	Stack            string // of a panic
	Status           int    // of HTTP
	Method           string
	Path             string // without the ID of a token
	RemoteAddress    string
}

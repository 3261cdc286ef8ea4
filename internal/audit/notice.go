package audit

import "time"

// Notice is what the audit log has of an act of a person that is no decision: one has logged in to the console, or has seen
// personal data there. Texts that a client chose are cleaned as those of an Event are.
type Notice struct {
	Time time.Time
	// Reference is of the decision that was looked at; empty where there is none.
	Reference string
	// Event is the word for the act, such as console_view. It is never empty: a line without it would be a decision.
	Event         string
	User          string // who has acted, by the name of the log-in
	RemoteAddress string // address and port of the client
	Page          string // what was asked for
	Identifier    string // of the device that it is about
	Result        string // one word: what came of it

	// Left is how much time the line may take; zero for no limit but that of the audit log.
	Left time.Duration
}

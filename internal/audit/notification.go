package audit

// EventNotification is the word for a line about a Notification. Lines without such a word are decisions.
const EventNotification = "scep_notification"

// Notification is what step-ca says of a request by SCEP: it was issued, or has failed.
type Notification struct {
	Issued        bool
	TransactionID string // chosen by the client
	// Error is step-ca's description of the failure.
	Error string
	// CommonName and SerialNumber, in hex, are those of the certificate that was issued.
	CommonName, SerialNumber string
}

// Result is the word for metrics.
func (n *Notification) Result() string {
	if n.Issued {
		return "success"
	}
	return "failure"
}

// Text says it in a sentence.
func (n *Notification) Text() string {
	text := "SCEP transaction " + Clean(n.TransactionID, maxShown)
	if n.Issued {
		return text + ": the certificate " + n.SerialNumber + " was issued"
	}
	return text + " has failed: " + Clean(n.Error, maxReason)
}

package doors

import "time"

// The limits of a question. docs/operation.md lists the time limits; a test compares.
const (
	// RADIUSBudget is the time within which a RADIUS server is answered: access points send a request again after 3 to 5 s, and
	// FreeRADIUS' rlm_rest waits for 4 s.
	RADIUSBudget = 3500 * time.Millisecond
	// ForwardAuthBudget is the time within which a web server is answered.
	ForwardAuthBudget = 5 * time.Second
	// writeReserve is kept of a budget for the answer when the inventories have given up.
	writeReserve = 300 * time.Millisecond
	// writing is kept of writeReserve for the answer when the audit log has given up.
	writing = 100 * time.Millisecond

	// maxBody is the largest body of a RADIUS server, in bytes. One with 40 alternative names has 5 KiB.
	maxBody = 64 << 10
	// maxHeader bounds all header lines of a question together, in bytes: Caddy and Traefik hand on those of the browser.
	maxHeader = 48 << 10
	// maxCertificate is the longest header with a certificate, in bytes.
	maxCertificate = 16 << 10

	// maxCached is how many answers of all doors are remembered; beyond that, the one that expires first makes room.
	maxCached = 10_000

	// maxText is the longest text in an answer to a RADIUS server, in bytes: one attribute has no room for more (RFC 2865).
	maxText = 253
	// maxHeaderText is the longest text of a header about the device, in bytes. nginx has 4 KiB for all headers of an answer.
	maxHeaderText = 2 << 10
)

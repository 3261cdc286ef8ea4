package webhook

import "step-posture-connector/internal/posture"

// The paths of the listener. They are compared byte for byte, escapes included. A path that is almost
// right is 404 and not a redirect, because step-ca would follow the redirect without the body.
const (
	AttestPath = "/webhook/device-attest"
	StatusPath = "/status"
)

// endpoint is what differs between the paths that webhooks call: all of them take the same steps.
type endpoint struct {
	// identify finds out which device a request is about, and refuses one whose certificate would name another one.
	identify func(*requestBody) (posture.Identifier, *Problem)
}

// endpointAt returns the endpoint at a path. It is the only list of them.
func endpointAt(path string) (e endpoint, exists bool) {
	switch path {
	case AttestPath:
		return endpoint{identify}, true
	default:
		return endpoint{}, false
	}
}

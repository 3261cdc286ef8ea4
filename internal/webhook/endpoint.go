package webhook

import (
	"context"
	"slices"
	"time"

	"step-posture-connector/internal/posture"
)

// The paths of the listener. They are compared byte for byte, escapes included. A path that is almost
// right is 404 and not a redirect, because step-ca would follow the redirect without the body.
const (
	AttestPath           = "/webhook/device-attest"
	CertificatePath      = "/webhook/certificate"
	SSHPath              = "/webhook/ssh"
	SCEPChallengePath    = "/webhook/scep-challenge"
	SCEPNotificationPath = "/webhook/scep-notification"
	RADIUSPath           = "/webhook/radius"
	BearerPath           = "/webhook"
	StatusPath           = "/status"
)

// endpoint is what differs between the paths that webhooks call: all of them take the same steps.
type endpoint struct {
	path    string
	accepts []posture.Accepts
	// budget is the time within which a request is answered.
	budget time.Duration
	// retries says that a fault is tried again within budget: the client has no second try.
	retries bool
	// notifies says that a body may have both certificate objects.
	notifies bool
	// shows says that a device shows its certificate to a RADIUS server, which asks: there is no order, and no token.
	shows bool
	// bearer says that a bearer credential authenticates a request: see Bearer.
	bearer bool
	// fits checks that a body is one that the webhook may send here; nil where ask does.
	fits func(*exchange) *Problem
	// ask finds out whom a request is about, and refuses one whose certificate would name another one.
	ask func(context.Context, *exchange) (posture.Identifier, *Problem)
}

// endpoints are all of them. Those but AttestPath and BearerPath exist with a policy file only.
func endpoints() []endpoint {
	ssh := []posture.Accepts{posture.SSHUser, posture.SSHHost}
	return []endpoint{
		{path: AttestPath, accepts: []posture.Accepts{posture.Attested}, budget: Budget, ask: askAttested},
		{path: CertificatePath, accepts: []posture.Accepts{posture.X509}, budget: tokenBudget, retries: true, notifies: true, fits: fitsX509, ask: askIdentified},
		{path: SSHPath, accepts: ssh, budget: tokenBudget, retries: true, notifies: true, fits: fitsSSH, ask: askIdentified},
		{path: SCEPChallengePath, accepts: []posture.Accepts{posture.SCEPChallenge}, budget: Budget, notifies: true, fits: fitsSCEPChallenge, ask: askSCEPChallenge},
		{path: SCEPNotificationPath, accepts: []posture.Accepts{posture.SCEPNotification}, budget: Budget, notifies: true, fits: fitsSCEPNotification},
		{path: RADIUSPath, accepts: []posture.Accepts{posture.RADIUS}, budget: Budget, shows: true, ask: askShown},
		{path: BearerPath, accepts: []posture.Accepts{posture.Attested}, budget: Budget, bearer: true, ask: askAttested},
	}
}

// endpointAt returns the endpoint at a path.
func (h *Handler) endpointAt(path string, hooks *Hooks) (e *endpoint, exists bool) {
	for i := range h.paths() {
		if e := &h.endpoints[i]; e.path == path && hooks.has(e) {
			return e, true
		}
	}
	return nil, false
}

// unknownPath is the refusal of a path that is no endpoint, or none without a policy file.
func (h *Handler) unknownPath(path string) *Problem {
	if slices.ContainsFunc(h.paths(), func(e endpoint) bool { return e.path == path && !e.bearer }) {
		return problemf(codeNotFound, "this path exists only with a policy file: set POLICY_PATH")
	}
	return problemf(codeNotFound, "unknown path")
}

func (h *Handler) paths() []endpoint {
	h.once.Do(func() { h.endpoints = endpoints() })
	return h.endpoints
}

// has reports whether an endpoint exists with these webhooks.
func (h *Hooks) has(e *endpoint) bool {
	if e.bearer {
		return h.bearer != nil
	}
	return e.path == AttestPath || h.policyFile
}

// Paths are those that signed webhooks may call: without a policy file, the first one alone.
func Paths(policyFile bool) (all []string) {
	for _, e := range endpoints() {
		if !e.bearer && (policyFile || e.path == AttestPath) {
			all = append(all, e.path)
		}
	}
	return all
}

// PathOf is where a webhook that sends such requests calls.
func PathOf(a posture.Accepts) string {
	switch a {
	case posture.X509:
		return CertificatePath
	case posture.SSHUser, posture.SSHHost:
		return SSHPath
	case posture.SCEPChallenge:
		return SCEPChallengePath
	case posture.SCEPNotification:
		return SCEPNotificationPath
	case posture.RADIUS:
		return RADIUSPath
	default:
		return AttestPath
	}
}

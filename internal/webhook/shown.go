package webhook

import (
	"context"

	"step-posture-connector/internal/posture"
)

// askShown verifies the certificate that a device has shown to Smallstep's RADIUS server. The server has verified that the device
// has the key; whose certificate it is, and that it is valid now, is verified here.
// https://smallstep.com/docs/tutorials/wifi-authentication-webhooks/
func askShown(_ context.Context, c *exchange) (posture.Identifier, *Problem) {
	var none posture.Identifier
	if c.body.isOfCA {
		return none, unexpected("the body is one of step-ca, and not of Smallstep's RADIUS server: a webhook of step-ca accepts what its requests are about, and calls the path of that")
	}
	if len(c.body.shown) == 0 {
		// step-ca leaves raw out, because what it asks about is not signed yet.
		return none, problemf(posture.CertificateMissing, "x509Certificate.raw is missing: the device has shown no certificate, or step-ca asks about one that it has not signed")
	}
	if c.query != "" {
		return none, unexpected("the URL has parameters, and those of a webhook that accepts radius has none")
	}
	if c.hook.Devices == nil {
		return none, problemf(posture.CertificateUntrusted, "the policy file has no doors.issuers") // refused at load; fail closed
	}
	shown, p := c.hook.Devices.Check(c.body.shown, c.event.Time)
	if p != nil {
		return none, &Problem{p.Code, p.Err}
	}
	id, p := shown.Identify(c.hook.Identity)
	if p != nil {
		return none, &Problem{p.Code, p.Err}
	}
	shown.Describe(c.request)
	c.event.PublicKey = shown.PublicKey
	c.request.Door, c.request.Caller = posture.RADIUSDoor, c.hook.Name
	return id, nil
}

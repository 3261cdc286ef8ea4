package webhook

import "step-posture-connector/internal/posture"

// describe fills in what rules may know of the request.
func (b *requestBody) describe(into *posture.Request) {
	into.Provisioner = b.ProvisionerName
	switch {
	case b.X509CertificateRequest != nil:
		into.Kind = "enriching"
	case b.X509Certificate != nil:
		into.Kind = "authorizing"
	}
}

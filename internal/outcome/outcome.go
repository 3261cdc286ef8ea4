// Package outcome says what the code of a refusal or a fault means to people: the sentence for whoever holds the device, and what
// the administrator can do.
package outcome

import "step-posture-connector/internal/posture"

// The codes that follow neither from the inventory nor from the names in a certificate.
const (
	Unauthenticated  posture.Code = "unauthenticated"
	Malformed        posture.Code = "malformed"
	TooLarge         posture.Code = "tooLarge"
	MethodNotAllowed posture.Code = "methodNotAllowed"
	NotFound         posture.Code = "notFound"
	Unavailable      posture.Code = "unavailable"
	Internal         posture.Code = "internal"

	AttestationMissing posture.Code = "attestationMissing"
	RequestExpired     posture.Code = "requestExpired"
	ModeUnsupported    posture.Code = "modeUnsupported"
	RequestUnexpected  posture.Code = "requestUnexpected"
	TokenInvalid       posture.Code = "tokenInvalid"
	TokenInCertificate posture.Code = "tokenInCertificate"

	VLANUnknown posture.Code = "vlanUnknown"
)

// Codes returns every code that an answer can have, for those that count them.
func Codes() []posture.Code {
	return []posture.Code{
		posture.DeviceNotFound, posture.DeviceAmbiguous, posture.DeviceNotManaged, posture.DeviceNotInGroup, posture.IdentifierInvalid,
		AttestationMissing, posture.CommonNameMismatch, posture.SANMismatch, RequestExpired, ModeUnsupported,
		RequestUnexpected, posture.IdentifierMissing, TokenInvalid, TokenInCertificate,
		posture.CertificateMissing, posture.CertificateUntrusted, VLANUnknown,
		Unauthenticated, Malformed, TooLarge, MethodNotAllowed, NotFound, Unavailable, Internal,
	}
}

// Text is what a code means. The message leaves the connector: any device that can attest can read it, so it names no group, no
// other device and no upstream text. The remedy stays in the log.
type Text struct{ Message, Remedy string }

// attestPath is the path of the webhooks of attested requests.
const attestPath = "/webhook/device-attest"

// Of is the one table of everything that is answered other than "allow".
func Of(code posture.Code) Text {
	const url = "correct the webhook's URL with `step ca provisioner webhook update`; it ends in " + attestPath + ", with ?mode= where it is needed, or in the path for what the webhook accepts"
	switch code {
	case posture.DeviceNotFound:
		return Text{
			"This device is not in the inventory; ask your administrator to enroll it",
			"if it is yours, enroll it or add it to the inventory; `step-posture-connector lookup` shows what the inventory says",
		}
	case posture.DeviceAmbiguous:
		return Text{
			"The inventory has this device more than once; ask your administrator to remove the surplus records",
			"remove the surplus records from the inventory",
		}
	case posture.DeviceNotManaged:
		return Text{
			"This device is not managed; ask your administrator to enroll it again",
			"enroll the device again; or let such devices pass, where the provider has a switch for that",
		}
	case posture.DeviceNotInGroup:
		return Text{
			"This device does not meet the requirements yet; update it, let it check in with device management and try again",
			"find out in device management why it is not a member, and have it check in; `step-posture-connector lookup` shows its groups",
		}
	case posture.DeviceNotCompliant:
		return Text{
			"This device does not meet a requirement of your organization; ask your administrator what to do",
			"the reason says what the data of the policy needs; `step-posture-connector lookup` shows what the inventory says",
		}
	case AttestationMissing:
		return Text{
			"The request has no attested device identifier; use a certificate profile with device attestation",
			"add this webhook only to ACME provisioners whose one challenge is device-attest-01",
		}
	case posture.IdentifierInvalid:
		return Text{
			"The attested identifier cannot be looked up; use the serial number of the device in the certificate profile",
			"set ClientIdentifier of the certificate profile to the serial number",
		}
	case posture.CommonNameMismatch:
		return Text{
			"The common name asked for is not the attested identifier; correct the subject in the certificate profile",
			"in the certificate profile, make the common name the serial number, or leave it out; in the certificate template, write toJson around every value, which keeps others out",
		}
	case posture.SANMismatch:
		return Text{
			"A permanent identifier asked for is not the attested one; correct the certificate profile",
			"take permanent identifiers out of the certificate profile; in the certificate template, write one SAN of the type permanentIdentifier with the attested value, and toJson around every value, which keeps others out",
		}
	case RequestExpired:
		return Text{
			"The request is too old or from the future; try again, and ask your administrator to check the clocks if it persists",
			"set the clocks of step-ca and the connector by NTP; if both are right, find out what holds the request back on its way",
		}
	case RequestUnexpected:
		return Text{
			"The connector does not expect such a request; ask your administrator to compare the webhook with the configuration",
			"compare the webhook in step-ca with the one in the policy file: the reason says what differs",
		}
	case posture.IdentifierMissing:
		return Text{
			"The request does not say who asks for the certificate; ask your administrator to check the webhook",
			"compare identify of the webhook in the policy file with what the provisioner sends; docs/provisioners says what each has",
		}
	case TokenInvalid:
		return Text{
			"The enrolment token or challenge is not valid; ask your administrator for a new one",
			"the reason says why; send the device a profile with a new one",
		}
	case TokenInCertificate:
		return Text{
			"The certificate would show the enrolment token; ask your administrator to correct the certificate template",
			"keep the token out of the certificate: the reason has the line for the certificate template of the provisioner",
		}
	case ModeUnsupported:
		return Text{
			"The webhook asks for an unknown kind of device; ask your administrator to correct its URL", url,
		}
	case posture.CertificateMissing:
		return Text{
			"The device has shown no certificate; ask your administrator to check its profile",
			"the reason says where the certificate is lost: see docs/doors",
		}
	case posture.CertificateUntrusted:
		return Text{
			"The certificate of this device is not accepted here; let the device renew it, and ask your administrator if that does not help",
			"the reason says what is wrong with the certificate; compare doors.issuers, doors.provisioners and doors.crl of the policy file",
		}
	case VLANUnknown:
		return Text{
			"The network for this device cannot be determined; ask your administrator",
			"the reason says what vlan of the door in the policy file lacks; `step-posture-connector lookup` shows what the inventory says",
		}
	case Unauthenticated:
		return Text{
			"The webhook request is not authenticated; check the webhook ID and the signing secret",
			"compare WEBHOOK_IDS and WEBHOOK_SECRETS with the ID and the secret that step-ca printed when the webhook was added; if it is not step-ca that calls, keep it out with ENABLE_MTLS",
		}
	case Malformed:
		return Text{
			"The webhook request cannot be understood; send it as step-ca does",
			"if it is step-ca that calls, report its version and this line; nothing else should have its secret",
		}
	case TooLarge:
		return Text{
			"The webhook request is too large; send at most 64 KiB of body and 16 KiB of header",
			"if it is step-ca that calls, look for a proxy that adds to the request",
		}
	case MethodNotAllowed:
		return Text{
			"The method is not allowed here; use the one in the Allow header", url,
		}
	case NotFound:
		return Text{
			"There is nothing at this path; check the webhook URL", url,
		}
	case Unavailable:
		return Text{
			"The inventory could not be asked; try again later",
			"`step-posture-connector check` asks the inventory, and the state database if there is one, and says what is wrong; devices may try again",
		}
	default:
		// Fail closed: a code that is missing here is a bug, and a bug is never an allow.
		return Text{
			"The connector has a fault; ask your administrator to look into its log",
			"report this line, with its stack, to the makers of the connector",
		}
	}
}

// Rule is what a rule that is not met means. Its message is the policy file's.
func Rule(message string) Text {
	return Text{
		message,
		"the reason names the rules that are not met and what the inventory says; `step-posture-connector lookup` shows every rule",
	}
}

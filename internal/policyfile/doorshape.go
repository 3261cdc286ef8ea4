package policyfile

import (
	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

func doorsShape() *document.Shape {
	names := &document.Shape{
		Type: document.List, Items: &document.Shape{Type: document.Text, Least: 1, Most: maxProvisionerName}, Least: 1, Most: maxProvisioners,
		Accepted: "a list of names of provisioners, such as [acme-da], or any",
	}
	return document.MapOf(
		document.Required("issuers", &document.Shape{Type: document.Text, Least: 1, Accepted: "the path of a PEM file with the CA certificates that have issued the devices' certificates", About: "The file with the CA certificates, in PEM, that have signed the certificates of devices themselves: the intermediate of step-ca."}),
		document.Required("provisioners", &document.Shape{
			Type: document.Text, Words: []string{anyProvisioner}, Or: names, Accepted: "a list of names of provisioners, such as [acme-da], or any",
			About: "The provisioners of step-ca that devices have their certificates from.",
		}),
		document.Optional("crl", &document.Shape{Type: document.Text, Least: 1, Accepted: "the path of a file with revocation lists (CRLs) in PEM or DER", About: "The file with revocation lists of the issuers: devices whose certificate is on one are refused."}),
		document.Optional("radius", &document.Shape{Type: document.List, Most: maxDoors, Items: doorShape(posture.RADIUSDoor, nil), About: "The RADIUS servers that may ask, at POST /door/radius."}),
		document.Optional("forward_auth", &document.Shape{Type: document.List, Most: maxDoors, Items: doorShape(posture.ForwardAuthDoor, nil), About: "The web servers that may ask, at /door/http."}),
	)
}

// doorShape declares an entry of a door.
func doorShape(door string, policies []string) *document.Shape {
	caller := &document.Shape{
		Type: document.Text, Least: 1, Pattern: `^(cn:.{1,256}|[^\s*:/,"']{1,256})$`,
		Accepted: "a DNS name or an e-mail address in the caller's certificate, without wildcards, or cn: and its common name",
	}
	keys := []document.Key{
		document.Required("callers", &document.Shape{Type: document.List, Items: caller, Least: 1, Most: maxCallers, Accepted: "a list of names in the certificates of callers", About: "Who may ask: names in their certificates, of the CA in DOOR_CLIENT_CA_PATH."}),
		document.Required("policy", &document.Shape{Type: document.Text, Accepted: orNone(policies), About: "The name of the policy that decides."}),
		document.Optional("cache", document.DurationShape("How long an answer, allow or refuse, is remembered; 0s, the default, for not at all, and at most 1h.")),
	}
	if door == posture.RADIUSDoor {
		keys = append(keys,
			document.Optional("vlan", policy.VLANShape("The expression, in CEL, that gives the VLAN of the device: a text.")),
			document.Optional("session_timeout", document.DurationShape("How long a session lasts until the device has to show its certificate again: 60s to 24h, by default 1h.")),
			document.Optional("quarantine", document.MapOf(
				document.Required("vlan", &document.Shape{Type: document.Text, Least: 1, Accepted: policy.AcceptedVLAN, About: "The VLAN itself."}),
				document.Required("codes", &document.Shape{Type: document.List, Items: &document.Shape{Type: document.Text}, Least: 1, Accepted: "a list of codes with which the policy refuses", About: "The codes of the refusals that put a device there."}),
			)),
		)
		return document.MapOf(keys...)
	}
	keys = append(keys,
		document.Optional("header", &document.Shape{Type: document.Text, Pattern: `^[A-Za-z][A-Za-z0-9-]{0,63}$`, Default: defaultHeader, Accepted: "the name of a header", About: "The header with the certificate of the browser."}),
		document.Optional("identity", &document.Shape{Type: document.Text, Words: devicecert.Identities(), Default: string(devicecert.PermanentIdentifier), About: "What in the certificate identifies the device."}),
		document.Optional("headers", &document.Shape{
			Type: document.Map, Most: maxHeaders, Names: headerNameShape(), Members: policy.HeaderShape("The expression, in CEL, that gives the header's value."),
			About: "The headers of an allow beside X-Device-Id, in place of X-Device-Name, X-Device-User and X-Device-Groups.",
		}),
	)
	return document.MapOf(keys...)
}

func headerNameShape() *document.Shape {
	return &document.Shape{Type: document.Text, Pattern: `^([Xx]|[Rr]emote)-[A-Za-z0-9-]{1,62}$`, Accepted: "the name of a header that begins with X- or Remote-"}
}

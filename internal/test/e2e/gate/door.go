package gate

import (
	"net"
	"strconv"
)

// DoorTemplate is a certificate template for devices that show their certificate at doors: the attested identifier is in the
// common name too, because FreeRADIUS reads no permanentIdentifier. As in Template, the first line refuses without a webhook.
const DoorTemplate = `{{- if not (hasKey .Webhooks "posture") }}{{ fail "the connector was not asked: there is no ENRICHING webhook named posture" }}{{ end -}}
{
  "subject": {"commonName": {{ toJson (index .SANs 0).Value }}},
  "sans": [{"type": "permanentIdentifier", "value": {{ toJson (index .SANs 0).Value }}}],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"]
}
`

// DoorAddress is the host and the port where the connector answers RADIUS servers and web servers. It stays the same when
// the connector is started again.
func (g *Gate) DoorAddress() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(g.config.DoorPort))
}

// Present makes the connector present another certificate from the next Start on, and returns a function that takes that back.
func (g *Gate) Present(certificate, key string) (back func()) {
	before := g.config
	g.config.Certificate, g.config.Key = certificate, key
	return func() { g.config.Certificate, g.config.Key = before.Certificate, before.Key }
}

// TrustAtDoors makes another CA the one of the callers of doors, from the next Start on.
func (g *Gate) TrustAtDoors(ca string) { g.config.DoorCA = ca }

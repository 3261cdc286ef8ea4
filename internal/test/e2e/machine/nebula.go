package machine

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"github.com/slackhq/nebula/cert"
	"go.step.sm/crypto/x25519"
)

// lifetime of the certificates of a simulated network.
const lifetime = time.Hour

// Network is a Nebula network with its CA.
type Network struct {
	ca  cert.Certificate
	key ed25519.PrivateKey
}

// NewNetwork makes a network whose hosts have addresses in the given range.
func NewNetwork(addresses netip.Prefix) (*Network, error) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make Nebula CA key: %w", err)
	}
	ca, err := nebulaCertificate(nil, key, cert.TBSCertificate{
		Name: "Simulated Network", Networks: []netip.Prefix{addresses}, PublicKey: public, IsCA: true,
	}, lifetime)
	if err != nil {
		return nil, err
	}
	return &Network{ca, key}, nil
}

// RootPEM is the CA of the network, for the provisioner of step-ca.
func (n *Network) RootPEM() ([]byte, error) { return n.ca.MarshalPEM() }

// Host returns certificate and key of a host, as nebula-cert writes them into files.
func (n *Network) Host(name string, address netip.Prefix, groups ...string) (certificate, key []byte, err error) {
	public, private, err := x25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key of Nebula host: %w", err)
	}
	// It must end before the CA does.
	host, err := nebulaCertificate(n.ca, n.key, cert.TBSCertificate{
		Name: name, Networks: []netip.Prefix{address}, Groups: groups, PublicKey: public,
	}, lifetime/2)
	if err != nil {
		return nil, nil, err
	}
	certificate, err = host.MarshalPEM()
	if err != nil {
		return nil, nil, fmt.Errorf("encode Nebula certificate: %w", err)
	}
	return certificate, cert.MarshalPrivateKeyToPEM(cert.Curve_CURVE25519, private), nil
}

func nebulaCertificate(ca cert.Certificate, key ed25519.PrivateKey, content cert.TBSCertificate, valid time.Duration) (cert.Certificate, error) {
	content.Version, content.Curve = cert.Version1, cert.Curve_CURVE25519
	content.NotBefore = time.Now().Truncate(time.Second)
	content.NotAfter = content.NotBefore.Add(valid)
	signed, err := content.Sign(ca, cert.Curve_CURVE25519, key)
	if err != nil {
		return nil, fmt.Errorf("sign Nebula certificate of %s: %w", content.Name, err)
	}
	return signed, nil
}

// Package machine simulates what machines prove their identity with: a Kubernetes cluster, a Nebula network, and the
// name service and web servers that ACME challenges look at.
package machine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"go.step.sm/crypto/jose"
)

// Cluster is a Kubernetes cluster, which signs the tokens of its service accounts.
type Cluster struct{ key *ecdsa.PrivateKey }

// NewCluster makes a cluster with a key of its own.
func NewCluster() (*Cluster, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make cluster key: %w", err)
	}
	return &Cluster{key}, nil
}

// PublicPEM is the key that the provisioner of step-ca verifies tokens with: sa.pub of a cluster.
func (c *Cluster) PublicPEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(c.key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode cluster key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Token is the token of a service account, of the form that step-ca reads: it names no audience, and does not expire.
func (c *Cluster) Token(namespace, account string) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: c.key}, nil)
	if err != nil {
		return "", fmt.Errorf("make token signer: %w", err)
	}
	token, err := jose.Signed(signer).Claims(map[string]any{
		"iss":                                    "kubernetes/serviceaccount",
		"sub":                                    "system:serviceaccount:" + namespace + ":" + account,
		"kubernetes.io/serviceaccount/namespace": namespace,
		"kubernetes.io/serviceaccount/secret.name":          account + "-token",
		"kubernetes.io/serviceaccount/service-account.name": account,
		"kubernetes.io/serviceaccount/service-account.uid":  "6b7f6c1e-0a55-4f8e-9d53-3f1d0c6f7a10",
	}).CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

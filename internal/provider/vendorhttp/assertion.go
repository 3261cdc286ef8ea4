package vendorhttp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Assertion makes the JWTs with which a client shows who it is, in place of a secret (RFC 7523 section 3).
type Assertion struct {
	Key      crypto.Signer  // an RSA key signs by PS256, one of P-256 by ES256
	Client   string         // iss and sub
	Audience string         // aud
	Header   map[string]any // what the vendor wants beside alg and typ, such as kid
}

// Sign makes a JWT that is valid for some minutes. Each has an ID of its own.
func (a Assertion) Sign(now time.Time) (string, error) {
	var method jwt.SigningMethod = jwt.SigningMethodES256
	if _, isRSA := a.Key.(*rsa.PrivateKey); isRSA {
		method = jwt.SigningMethodPS256
	}
	begin := now.Add(-clockSkew)
	// The library's own type would write aud as a list, which vendors' examples never are.
	token := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": a.Client, "sub": a.Client, "aud": a.Audience, "jti": rand.Text(),
		"iat": begin.Unix(), "nbf": begin.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	})
	for name, value := range a.Header {
		token.Header[name] = value
	}
	signed, err := token.SignedString(a.Key)
	if err != nil {
		return "", errors.New("the assertion cannot be signed with this private key")
	}
	return signed, nil
}

// ParseKey reads a private key in PEM: PKCS #8, SEC 1 or PKCS #1, whatever its label says, because vendors write a wrong one.
// Certificates and parameters may stand beside it, as tools write them. It accepts RSA keys from 2048 bits on, and those of
// P-256. Its errors hold nothing of the key.
func ParseKey(text []byte) (crypto.Signer, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	key, err := parseDER(block.Bytes)
	if err != nil {
		return nil, err
	}
	const leastBits = 2048
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < leastBits {
			return nil, fmt.Errorf("holds an RSA key of %d bits; %d are the least", key.N.BitLen(), leastBits)
		}
		return key, nil
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() {
			return nil, errors.New("holds a key of another curve than P-256")
		}
		return key, nil
	}
	return nil, errors.New("holds a key that is neither RSA nor ECDSA")
}

// keyBlock returns the one block that has a key.
func keyBlock(text []byte) (*pem.Block, error) {
	var key *pem.Block
	certificate := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			certificate = true
		case block.Type == "EC PARAMETERS":
		case key != nil:
			return nil, errors.New("holds several keys; which of them is meant is not known")
		default:
			key = block
		}
	}
	switch {
	case key == nil && certificate:
		return nil, errors.New("holds a certificate, and no private key")
	case key == nil:
		return nil, errors.New("is no private key in PEM")
	case key.Headers["DEK-Info"] != "" || key.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("holds a key that is encrypted with a passphrase")
	}
	return key, nil
}

func parseDER(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("holds a private key that cannot be read")
}
